import { expect, test } from "vitest";

import { candidateToJSON, localCandidate, parseCandidates } from "../../../sdk/src/ice/candidate.ts";
import { newIceCredentials } from "../../../sdk/src/ice/credentials.ts";
import { IceMux } from "../../../sdk/src/ice/mux.ts";
import { type IcePeer } from "../../../sdk/src/ice/peer.ts";
import { type RelayPath } from "../../../sdk/src/ice/relay.ts";
import { onLocalNetwork } from "../../../sdk/src/ice/remote-policy.ts";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { StunBuilder } from "../../../sdk/src/stun/builder.ts";
import { StunAttribute, StunMethod } from "../../../sdk/src/stun/constants.ts";
import { shortTermKey } from "../../../sdk/src/stun/integrity.ts";

const LOOPBACK = "127.0.0.1";

function openMux(stack: AsyncDisposableStack): { socket: UDPSocket; mux: IceMux } {
  const socket = stack.use(UDPSocket.open({ address: LOOPBACK }));
  const mux = stack.use(new IceMux(socket));
  mux.addLocalCandidate(localCandidate("host", { address: LOOPBACK, port: socket.localPort }));
  return { socket, mux };
}

function introduce(one: IcePeer, other: IcePeer): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    to.setRemoteCredentials(from.localCredentials);
    const signalled: unknown = JSON.parse(JSON.stringify(from.localCandidates.map(candidateToJSON)));
    for (const candidate of parseCandidates(signalled)) to.addRemoteCandidate(candidate);
  }
}

function connected(peer: IcePeer): Promise<void> {
  return new Promise((resolve) => {
    peer.onState = (state) => state === "connected" && resolve();
  });
}

type Mux = ReturnType<typeof openMux>;

/** Two peers who are introduced; `up` when both are connected. */
function meet(
  host: Mux,
  guest: Mux,
  allowRemote = onLocalNetwork,
): { here: IcePeer; there: IcePeer; up: Promise<unknown> } {
  const here = host.mux.open({ role: "controlled", allowRemote });
  const there = guest.mux.open({ role: "controlling", allowRemote });
  const up = Promise.all([connected(here), connected(there)]);
  introduce(here, there);
  return { here, there, up };
}

function received(peer: IcePeer): Promise<string> {
  return new Promise((resolve) => {
    peer.onData = (data) => resolve(data.toString());
  });
}

test("many peers share two sockets, and each gets what is its own", async () => {
  await using stack = new AsyncDisposableStack();
  const [host, ...guests] = Array.from({ length: 5 }, () => openMux(stack));
  if (host === undefined) return;
  const pairs = guests.map((guest) => meet(host, guest));
  await Promise.all(pairs.map(async ({ up }) => await up));
  for (const [i, { here, there }] of pairs.entries()) {
    const [up, down] = [received(here), received(there)];
    expect(there.send(Buffer.from(`up ${i}`))).toBe(true);
    expect(await up).toBe(`up ${i}`);
    expect(here.send(Buffer.from(`down ${i}`))).toBe(true);
    expect(await down).toBe(`down ${i}`);
    expect(here.path).toMatchObject({ kind: "direct", via: "socket", localType: "host", remoteType: "host" });
    expect(there.path?.remote).toEqual({ address: LOOPBACK, port: host.socket.localPort });
  }
});

test("what is not an agent's is left to others; checks for nobody are swallowed without an answer", async () => {
  await using stack = new AsyncDisposableStack();
  const { socket, mux } = openMux(stack);
  mux.open({ role: "controlled" });
  const stranger = stack.use(UDPSocket.open({ address: LOOPBACK }));
  const answers: Buffer[] = [];
  stranger.onDatagram = (data) => answers.push(data);
  const others: string[] = [];
  const last = new Promise<void>((resolve) => {
    socket.onDatagram = (data) => {
      others.push(data.toString("latin1"));
      if (data.toString() === "last") resolve();
    };
  });
  const binding = new StunBuilder(StunMethod.BINDING, "request").fingerprint().build();
  const check = new StunBuilder(StunMethod.BINDING, "request").text(StunAttribute.USERNAME, "nobody:here");
  const answer = new StunBuilder(StunMethod.BINDING, "success").fingerprint().build();
  for (const data of [Buffer.from("game"), binding, check.fingerprint().build(), answer, Buffer.from("last")]) {
    stranger.send(data, socket.localPort, LOOPBACK);
  }
  await last;
  expect(others).toEqual(["game", binding.toString("latin1"), answer.toString("latin1"), "last"]);
  expect(answers).toEqual([]);
});

test("a relay is one more base: candidate, checks, data, and its loss", async () => {
  await using stack = new AsyncDisposableStack();
  const { mux } = openMux(stack);
  const guest = openMux(stack);
  const allocation = stack.use(UDPSocket.open({ address: LOOPBACK }));
  const relayed = { address: LOOPBACK, port: allocation.localPort };
  const relay: RelayPath = {
    id: "relay-1",
    relayed,
    onData: null,
    onLost: null,
    send: (data, address, port) => allocation.send(data, port, address),
    permit: () => undefined,
  };
  allocation.onDatagram = (data, address, port) => relay.onData?.(data, address, port);
  expect(mux.addRelay(relay)).toMatchObject({ type: "relayed", ...relayed, via: "relay-1" });
  // The guest may try the relay only.
  const here = mux.open({ role: "controlled", allowRemote: () => false });
  const there = guest.mux.open({ role: "controlling", allowRemote: ({ type }) => type === "relayed" });
  const up = Promise.all([connected(here), connected(there)]);
  introduce(here, there);
  await up;
  expect(here.path).toMatchObject({ kind: "relayed", via: "relay-1" });
  expect(there.path).toMatchObject({ kind: "relayed", via: "socket", remote: relayed });
  const text = received(here);
  there.send(Buffer.from("over the relay"));
  expect(await text).toBe("over the relay");
  const back = received(there);
  here.send(Buffer.from("and back"));
  expect(await back).toBe("and back");
  mux.removeBase("relay-1");
  expect(here.path).toBeNull();
  expect(here.send(Buffer.from("nowhere"))).toBe(false);
});

test("a peer that begins anew from the same socket gets its own packets", async () => {
  await using stack = new AsyncDisposableStack();
  const [host, guest] = [openMux(stack), openMux(stack)];
  const first = meet(host, guest);
  await first.up;
  first.there.close();
  const second = meet(host, guest);
  await second.up;
  first.here.onData = () => expect.unreachable();
  const text = received(second.here);
  second.there.send(Buffer.from("second"));
  expect(await text).toBe("second");
});

test("restart keeps the way until the new credentials have one", async () => {
  await using stack = new AsyncDisposableStack();
  const [host, guest] = [openMux(stack), openMux(stack)];
  const { here, there, up } = meet(host, guest);
  await up;
  const moved = Promise.all(
    [here, there].map(
      (peer) =>
        new Promise<void>((resolve) => {
          peer.onPath = (path) => path !== null && resolve();
        }),
    ),
  );
  here.restart(newIceCredentials());
  there.restart(newIceCredentials());
  const text = received(here);
  expect(there.send(Buffer.from("meanwhile"))).toBe(true);
  expect(await text).toBe("meanwhile");
  introduce(here, there);
  await moved;
  const again = received(there);
  here.send(Buffer.from("again"));
  expect(await again).toBe("again");
});

test("the packets of a peer that was closed are others' again", async () => {
  await using stack = new AsyncDisposableStack();
  const [host, guest] = [openMux(stack), openMux(stack)];
  const { here, there, up } = meet(host, guest);
  await up;
  here.onData = () => expect.unreachable();
  here.close();
  const text = new Promise<string>((resolve) => {
    host.socket.onDatagram = (data) => resolve(data.toString());
  });
  there.send(Buffer.from("anybody?"));
  expect(await text).toBe("anybody?");
});

test("an authentic check takes nobody else's packets: its source may be forged", async () => {
  await using stack = new AsyncDisposableStack();
  const [host, villain] = [openMux(stack), openMux(stack)];
  // A player without ICE, whose address the villain gives as its own.
  const player = stack.use(UDPSocket.open({ address: LOOPBACK }));
  const answered = new Promise<Buffer>((resolve) => {
    player.onDatagram = (data) => resolve(data);
  });
  const { here, there, up } = meet(host, villain);
  await up;
  const { ufrag, password } = here.localCredentials;
  const check = new StunBuilder(StunMethod.BINDING, "request")
    .text(StunAttribute.USERNAME, `${ufrag}:${there.localCredentials.ufrag}`)
    .uint32(StunAttribute.PRIORITY, 1)
    .uint64(StunAttribute.ICE_CONTROLLING, 1n)
    .integrity(Buffer.from(password))
    .fingerprint()
    .build();
  player.send(check, host.socket.localPort, LOOPBACK);
  await answered;
  const shown: string[] = [];
  here.onData = (data) => {
    shown.push(data.toString());
    return data.toString() !== "the player's";
  };
  const text = new Promise<string>((resolve) => {
    host.socket.onDatagram = (data) => resolve(data.toString());
  });
  // What is the peer's after all is not given to others too.
  player.send(Buffer.from("the peer's, early"), host.socket.localPort, LOOPBACK);
  player.send(Buffer.from("the player's"), host.socket.localPort, LOOPBACK);
  expect(await text).toBe("the player's");
  expect(shown).toEqual(["the peer's, early", "the player's"]);
});

test("a peer is met on a further socket, which no candidate names", async () => {
  await using stack = new AsyncDisposableStack();
  const [host, guest] = [openMux(stack), openMux(stack)];
  const further = stack.use(UDPSocket.open({ address: LOOPBACK }));
  host.mux.addSocket("socket:1", further);
  const { here, there, up } = meet(host, guest, () => false);
  there.knock("socket", LOOPBACK, further.localPort);
  await up;
  expect(here.path).toMatchObject({ via: "socket:1", localType: "peer-reflexive" });
  expect(there.path?.remote).toEqual({ address: LOOPBACK, port: further.localPort });
  const text = received(there);
  here.send(Buffer.from("from there"));
  expect(await text).toBe("from there");
  host.mux.removeBase("socket:1");
  expect(here.path).toBeNull();
});

test("closed peers and muxes leave nothing behind", async () => {
  await using stack = new AsyncDisposableStack();
  const { mux, socket } = openMux(stack);
  const peer = mux.open({ role: "controlled" });
  expect(() => mux.open({ role: "controlled", local: peer.localCredentials })).toThrow(RangeError);
  peer.close();
  expect(mux.size).toBe(0);
  expect(peer.state).toBe("closed");
  expect(peer.send(Buffer.from("x"))).toBe(false);
  const other = mux.open({ role: "controlled" });
  await socket.close();
  await Promise.resolve();
  expect(other.state).toBe("closed");
  expect(() => mux.open({ role: "controlled" })).toThrow(RangeError);
});

test("where relays alone may be used, nothing leaves by the socket and nothing of it is told", async () => {
  await using stack = new AsyncDisposableStack();
  const host = openMux(stack);
  const socket = stack.use(UDPSocket.open({ address: LOOPBACK }));
  const mux = stack.use(new IceMux(socket, { relayOnly: true }));
  mux.addLocalCandidate(localCandidate("host", { address: LOOPBACK, port: socket.localPort }));
  const sent: string[] = [];
  const relay: RelayPath = {
    id: "turn-udp-1",
    relayed: { address: "8.8.8.8", port: 5000 },
    send: (_data, address) => sent.push(address) > 0,
    permit: () => undefined,
    onData: null,
    onLost: null,
  };
  mux.addRelay(relay);
  const here = host.mux.open({ role: "controlled", allowRemote: onLocalNetwork });
  const there = mux.open({ role: "controlling", allowRemote: onLocalNetwork });
  expect(there.localCandidates.map(({ type }) => type)).toEqual(["relayed"]);
  introduce(here, there);
  there.addRemoteCandidate(localCandidate("reflexive", { address: "8.8.4.4", port: 6000 }));
  await expect.poll(() => sent.length).toBeGreaterThan(0);
  // A check that comes straight to the socket has no answer, though it is authentic.
  const check = new StunBuilder(StunMethod.BINDING, "request");
  check.text(StunAttribute.USERNAME, `${there.localCredentials.ufrag}:${here.localCredentials.ufrag}`);
  host.socket.send(
    check.integrity(shortTermKey(there.localCredentials.password)).fingerprint().build(),
    socket.localPort,
    LOOPBACK,
  );
  await expect.poll(() => socket.counters.datagramsIn).toBeGreaterThan(0);
  expect(socket.counters.datagramsOut).toBe(0);
  expect(new Set(sent)).toEqual(new Set(["8.8.4.4"]));
});
