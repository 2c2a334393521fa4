/** By WebRTC's port, which is libdatachannel's: real sockets, real time. */
import { createAuthContext } from "@colyseus/core";
import { WebRTCHost } from "../../../sdk/src/colyseus/server/webrtc/host.ts";
import { parseOffer } from "../../../sdk/src/colyseus/server/webrtc/offer.ts";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { StunBuilder } from "../../../sdk/src/stun/builder.ts";
import { StunAttribute, StunMethod } from "../../../sdk/src/stun/constants.ts";
import { freePort } from "../lobby-programs.ts";
import type { Row } from "./row.ts";

const LOOPBACK = "127.0.0.1";
const CANDIDATES = 4;
/** An offer that nobody takes up is forgotten after 10 s. */
const OVER_MS = 12_000;
const FINGERPRINT = Array.from({ length: 32 }, () => "00").join(":");
const [UFRAG, PASSWORD] = ["aaaa", "b".repeat(22)];

/** As short as may be. */
const offerOf = (ports: readonly number[]): string =>
  [
    "v=0",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    `a=ice-ufrag:${UFRAG}`,
    `a=ice-pwd:${PASSWORD}`,
    `a=fingerprint:sha-256 ${FINGERPRINT}`,
    "a=mid:0",
    "a=sctp-port:5000",
    ...ports.map((port) => `a=candidate:1 1 udp 1 ${LOOPBACK} ${port} typ host`),
    "",
  ].join("\r\n");

async function withHost<T>(use: (host: WebRTCHost) => Promise<T>): Promise<T> {
  const host = new WebRTCHost({
    maxPayload: 4096,
    timeoutMs: 10_000,
    endpoints: () => [],
    mapExtraPort: undefined,
    maxOffers: 128,
    onSession: () => undefined,
    port: await freePort(),
  });
  await host.open(0, LOOPBACK);
  try {
    return await use(host);
  } finally {
    await host.close();
  }
}

async function accept(host: WebRTCHost, sdp: string, sessionId: string): Promise<string> {
  const offer = parseOffer(sdp);
  if (offer === null) throw new Error("this is no offer");
  const seat = { roomId: "room", sessionId, reconnectionToken: "", skipHandshake: false };
  const reply = await host.accept(
    { seat, offer },
    { context: createAuthContext({ headers: {} }), caller: undefined },
    {
      asker: LOOPBACK,
      asked: [LOOPBACK],
    },
  );
  if (reply === null || typeof reply === "string" || !("answer" in reply)) throw new Error(JSON.stringify(reply));
  return reply.answer;
}

const over = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, OVER_MS));

/** A stranger with a seat offers somebody else's address. */
const offers = (): Promise<Row> =>
  withHost(async (host) => {
    await using stack = new AsyncDisposableStack();
    let got = 0;
    const ports = Array.from({ length: CANDIDATES }, () => {
      const socket = stack.use(UDPSocket.open({ address: LOOPBACK }));
      socket.onDatagram = (data) => void (got += data.length);
      return socket.localPort;
    });
    const sdp = offerOf(ports);
    await accept(host, sdp, "one");
    await over();
    return {
      what: "addresses in a browser's offer (WebRTC)",
      said: JSON.stringify({ roomId: "room", sessionId: "one", offer: sdp }).length,
      got,
      timed: true,
      held: "4 candidates for 10 s, public ones or the asker's own; 4 offers of a seat, 128 at once",
    };
  });

/** It has its answer, and sends a check whose source is somebody else's. */
const checks = (): Promise<Row> =>
  withHost(async (host) => {
    await using victim = UDPSocket.open({ address: LOOPBACK });
    let got = 0;
    victim.onDatagram = (data) => void (got += data.length);
    const sdp = offerOf([]);
    const answer = await accept(host, sdp, "two");
    const value = (name: string): string => new RegExp(`a=${name}:(\\S+)`).exec(answer)?.[1] ?? "";
    const check = new StunBuilder(StunMethod.BINDING, "request")
      .text(StunAttribute.USERNAME, `${value("ice-ufrag")}:${UFRAG}`)
      .uint32(StunAttribute.PRIORITY, 1)
      .uint64(StunAttribute.ICE_CONTROLLING, 1n)
      .integrity(Buffer.from(value("ice-pwd")))
      .fingerprint()
      .build();
    victim.send(check, host.port, LOOPBACK);
    await over();
    return {
      what: "a browser's connectivity check from a forged source (WebRTC)",
      // Without the offer there is no name to send it under.
      said: check.length + JSON.stringify({ roomId: "room", sessionId: "two", offer: sdp }).length,
      got,
      timed: true,
      held: "the same",
    };
  });

export const webrtcRows = (): Promise<Row[]> => Promise.all([offers(), checks()]);
