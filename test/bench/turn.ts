/** A game session over TURN, 20 datagrams a second there and back through coturn, held past every expiry. */
import { setTimeout as sleep } from "node:timers/promises";
import { UDPSocket } from "../../sdk/src/net/udp-socket.ts";
import type { TurnTiming } from "../../sdk/src/turn/allocation-options.ts";
import { openTurnRelay } from "../../sdk/src/turn/open.ts";
import { Coturn, CREDENTIALS, coturnPresent } from "../interop/turn/coturn.ts";
import type { BenchRow } from "./row.ts";

const TARGET_MINUTES = 70;
const MAX_GAP_MS = 1000;
const TICK_MS = 50;

/** coturn's own lifetimes need a quarter of an hour to be crossed. */
const OWN_LIFETIMES_MINUTES = 15;
const SHORT_ARGS = [
  "--max-allocate-lifetime=12",
  "--channel-lifetime=10",
  "--permission-lifetime=6",
  "--stale-nonce=8",
];
const SHORT_TIMING: TurnTiming = { permissionLifetimeMs: 6000, channelLifetimeMs: 10_000 };

interface Session {
  sent: number;
  received: number;
  /** Longest time that the oldest unanswered datagram waited until anything came back. */
  maxGapMs: number;
  /** Longest time between two of our own datagrams: what this process or machine stood still by itself. */
  maxPauseMs: number;
  lost: string;
  renewals: string;
}

async function session(minutes: number, short: boolean): Promise<Session> {
  await using coturn = await Coturn.start({ args: short ? SHORT_ARGS : [] });
  await using hostSocket = UDPSocket.open({ address: "127.0.0.1" });
  await using clientSocket = UDPSocket.open({ address: "127.0.0.1" });
  const servers = [{ urls: `turn:127.0.0.1:${coturn.port}`, ...CREDENTIALS }];
  const timing = short ? SHORT_TIMING : {};
  await using host = await openTurnRelay({ socket: hostSocket, servers, timing });
  await using client = await openTurnRelay({ socket: clientSocket, servers, timing });
  let lost = "";
  for (const relay of [host, client]) {
    relay.onLost = (error) => {
      lost ||= error.message;
    };
  }
  host.permit(client.relayed.address);
  host.onData = (data, address, port) => host.send(data, address, port);
  let received = 0;
  let unansweredSince = Number.POSITIVE_INFINITY;
  let maxGapMs = 0;
  let maxPauseMs = 0;
  client.onData = () => {
    received++;
    maxGapMs = Math.max(maxGapMs, performance.now() - unansweredSince);
    unansweredSince = Number.POSITIVE_INFINITY;
  };
  const { address, port } = host.relayed;
  const payload = Buffer.alloc(200, 7);
  const end = performance.now() + minutes * 60_000;
  let sent = 0;
  let sentAt = performance.now();
  while (performance.now() < end && !host.closed && !client.closed) {
    const now = performance.now();
    if (client.send(payload, address, port)) sent++;
    unansweredSince = Math.min(unansweredSince, now);
    maxPauseMs = Math.max(maxPauseMs, now - sentAt);
    sentAt = now;
    await sleep(TICK_MS);
  }
  if (unansweredSince < performance.now()) maxGapMs = Math.max(maxGapMs, performance.now() - unansweredSince);
  const times = (what: string): number => coturn.count(new RegExp(`${what} processed, success`, "g"));
  const renewals = [
    `${coturn.count(/error 438/g)} stale nonces`,
    `${times("REFRESH")} refreshes`,
    `${times("CREATE_PERMISSION")} permissions`,
    `${times("CHANNEL_BIND")} channel bindings`,
  ].join(", ");
  return { sent, received, maxGapMs, maxPauseMs, lost, renewals };
}

export async function rows(): Promise<BenchRow[]> {
  const minutes = Number(process.env["SALLYPORT_TURN_MINUTES"] ?? 1);
  const what = `game session over TURN, ${minutes} min`;
  const target = `no gap > 1 s${minutes < TARGET_MINUTES ? "" : `, >= ${TARGET_MINUTES} min`}`;
  if (!coturnPresent) return [{ what, target, value: "not measured", met: false, detail: "coturn is not installed" }];
  const short = minutes < OWN_LIFETIMES_MINUTES;
  const { sent, received, maxGapMs, maxPauseMs, lost, renewals } = await session(minutes, short);
  const lifetimes = short ? "lifetimes shortened to 6-12 s" : "coturn's own lifetimes";
  const brief = minutes < TARGET_MINUTES ? `; SALLYPORT_TURN_MINUTES=${TARGET_MINUTES} holds it in full` : "";
  return [
    {
      what,
      target,
      value: `longest gap ${Math.round(maxGapMs)} ms`,
      met: lost === "" && maxGapMs <= MAX_GAP_MS && received > 0,
      detail: `${lost === "" ? "" : `lost: ${lost} `}${received} of ${sent} echoed; we ourselves paused up to ${Math.round(maxPauseMs)} ms; ${lifetimes}: ${renewals}${brief}`,
    },
  ];
}

if (import.meta.main) console.table(await rows());
