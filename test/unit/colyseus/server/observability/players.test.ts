import { EventEmitter } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { Players } from "../../../../../sdk/src/colyseus/server/observability/players.ts";
import { localCandidate } from "../../../../../sdk/src/ice/candidate.ts";
import { IceMux } from "../../../../../sdk/src/ice/mux.ts";
import { onLocalNetwork } from "../../../../../sdk/src/ice/remote-policy.ts";
import { UDPSocket } from "../../../../../sdk/src/net/udp-socket.ts";
import { connectSession } from "../../../../../sdk/src/session/connect.ts";
import { UDPSessionServer } from "../../../../../sdk/src/session/server.ts";
import type { Session } from "../../../../../sdk/src/session/types.ts";

const ADDRESS = "127.0.0.1";

function openMux(): { socket: UDPSocket; mux: IceMux } {
  const socket = UDPSocket.open({ address: ADDRESS });
  const mux = new IceMux(socket);
  mux.addLocalCandidate(localCandidate("host", { address: ADDRESS, port: socket.localPort }));
  onTestFinished(() => socket.close());
  return { socket, mux };
}

test("of a player who came by ICE each pair is told, and why the one in use is", async () => {
  const [host, guest] = [openMux(), openMux()];
  const server = await UDPSessionServer.open(host.socket);
  onTestFinished(() => server.close());
  const theirs = guest.mux.open({ role: "controlling", allowRemote: onLocalNetwork });
  const ours = host.mux.open({ role: "controlled", remote: theirs.localCredentials, allowRemote: onLocalNetwork });
  theirs.setRemoteCredentials(ours.localCredentials);
  for (const candidate of ours.localCandidates) theirs.addRemoteCandidate(candidate);
  for (const candidate of theirs.localCandidates) ours.addRemoteCandidate(candidate);
  // Nobody is there.
  ours.addRemoteCandidate(localCandidate("host", { address: ADDRESS, port: 9 }, { localPreference: 1 }));
  server.addPath(ours);
  const accepted = new Promise<Session>((resolve) => {
    server.onSession = resolve;
  });
  const addresses = [{ address: ADDRESS, port: host.socket.localPort }];
  const token = server.createToken({ clientId: 1n, addresses, userData: new Uint8Array(0) });
  const session = await connectSession(token, { path: theirs });
  onTestFinished(() => session.close());

  const players = new Players();
  const ref = Object.assign(new EventEmitter(), { close: () => undefined });
  players.add(ref, { roomId: "room", sessionId: "session", session: await accepted });
  const inspected = players.of(ref);
  expect(inspected).toMatchObject({ path: "direct", remote: `${ADDRESS}:${guest.socket.localPort}` });
  expect(inspected?.pairs).toEqual([
    {
      via: "socket",
      local: "host",
      remote: `${ADDRESS}:${guest.socket.localPort}`,
      remoteType: "host",
      state: "succeeded",
      rttMs: expect.any(Number),
      why: expect.stringMatching(/^(nominated|first-answer)$/),
    },
    expect.objectContaining({ remote: `${ADDRESS}:9`, rttMs: null, why: null }),
  ]);
  expect(session.pairs?.()).toHaveLength(1);
  // Dashboards ask often, and for all.
  expect(players.list()[0]).not.toHaveProperty("pairs");
});

test("a player by WebSocket has none", () => {
  const players = new Players();
  const ref = Object.assign(new EventEmitter(), { close: () => undefined });
  players.add(ref, { roomId: "room", sessionId: "session", remote: "127.0.0.1:5" });
  expect(players.of(ref)).toMatchObject({ path: "websocket", pairs: [] });
});
