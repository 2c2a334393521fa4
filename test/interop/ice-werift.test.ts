// werift-ice, an independent ICE agent, as the peer: over loopback, in both roles.
import { expect, test } from "vitest";
import { Candidate, Connection } from "werift-ice";

import { type IceCandidate, localCandidate } from "../../sdk/src/ice/candidate.ts";
import { parseIceCredentials } from "../../sdk/src/ice/credentials.ts";
import { IceMux } from "../../sdk/src/ice/mux.ts";
import { type IcePeer } from "../../sdk/src/ice/peer.ts";
import { onLocalNetwork } from "../../sdk/src/ice/remote-policy.ts";
import { UDPSocket } from "../../sdk/src/net/udp-socket.ts";

const LOOPBACK = "127.0.0.1";

/** RFC 8839's names for our types. */
function toWerift({ type, address, port, priority, foundation }: IceCandidate): Candidate {
  const typ = type === "host" ? "host" : type === "relayed" ? "relay" : "srflx";
  return Candidate.fromSdp(`${foundation} 1 udp ${priority} ${address} ${port} typ ${typ}`);
}

function fromWerift({ foundation, priority, host, port }: Candidate): IceCandidate {
  return { type: "host", address: host, port, priority, foundation };
}

async function openWerift(controlling: boolean): Promise<Connection & AsyncDisposable> {
  const connection = new Connection(controlling, {
    // No interface's address: a second socket would knock, too, which no candidate names here.
    useIpv4: false,
    useIpv6: false,
    interfaceAddresses: { udp4: LOOPBACK },
    additionalHostAddresses: [LOOPBACK],
  });
  await connection.gatherCandidates();
  return Object.assign(connection, {
    async [Symbol.asyncDispose]() {
      await connection.close();
    },
  });
}

interface Both {
  ours: IcePeer;
  werift: Connection;
}

async function connect(
  stack: AsyncDisposableStack,
  role: "controlling" | "controlled",
  theirs = role === "controlled",
): Promise<Both> {
  const socket = stack.use(UDPSocket.open({ address: LOOPBACK }));
  const mux = stack.use(new IceMux(socket));
  mux.addLocalCandidate(localCandidate("host", { address: LOOPBACK, port: socket.localPort }));
  const ours = mux.open({ role, allowRemote: onLocalNetwork });
  const werift = stack.use(await openWerift(theirs));
  const { ufrag, password } = ours.localCredentials;
  werift.setRemoteParams({ iceLite: false, usernameFragment: ufrag, password });
  const credentials = parseIceCredentials({ ufrag: werift.localUsername, password: werift.localPassword });
  if (credentials === null) throw new Error("werift's credentials are none");
  const up = new Promise<void>((resolve) => {
    ours.onPath = (path) => path !== null && resolve();
  });
  ours.setRemoteCredentials(credentials);
  expect(werift.localCandidates.map(({ host }) => host)).toEqual([LOOPBACK]);
  for (const candidate of werift.localCandidates) ours.addRemoteCandidate(fromWerift(candidate));
  for (const candidate of ours.localCandidates) await werift.addRemoteCandidate(toWerift(candidate));
  await werift.addRemoteCandidate(undefined);
  await Promise.all([werift.connect(), up]);
  return { ours, werift };
}

async function exchange({ ours, werift }: Both): Promise<void> {
  const toUs = new Promise<string>((resolve) => {
    ours.onData = (data) => resolve(data.toString());
  });
  const toThem = new Promise<string>((resolve) => {
    werift.onData.subscribe((data) => resolve(data.toString()));
  });
  // werift may use a pair before our own check of it has succeeded: until then we take nothing from there.
  const again = setInterval(() => void werift.send(Buffer.from("to us")), 50);
  try {
    expect(ours.send(Buffer.from("to them"))).toBe(true);
    expect(await Promise.all([toUs, toThem])).toEqual(["to us", "to them"]);
  } finally {
    clearInterval(again);
  }
}

test.each(["controlling", "controlled"] as const)("we are %s", async (role) => {
  await using stack = new AsyncDisposableStack();
  const both = await connect(stack, role);
  expect(both.ours.path).toMatchObject({ kind: "direct", localType: "host", remoteType: "host" });
  await exchange(both);
  expect(both.ours.counters.dropped).toBe(0);
});

test.each(["controlling", "controlled"] as const)("both are %s, and repair it", async (role) => {
  await using stack = new AsyncDisposableStack();
  const both = await connect(stack, role, role === "controlling");
  await exchange(both);
  expect(both.werift.iceControlling).toBe(both.ours.agent.role === "controlled");
});

test("werift's consent checks are answered", async () => {
  await using stack = new AsyncDisposableStack();
  const both = await connect(stack, "controlled");
  const before = both.ours.counters.checksReceived;
  // One every 4 to 6 s.
  await expect.poll(() => both.ours.counters.checksReceived - before).toBeGreaterThanOrEqual(2);
  await exchange(both);
});
