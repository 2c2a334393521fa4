import { describe, expect, test } from "vitest";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { type StunServerOutcome, stunBinding } from "../../../sdk/src/stun/client.ts";
import { isStun } from "../../../sdk/src/stun/message.ts";
import { answerStun, StunServer } from "../../../sdk/src/stun/server.ts";

test("several servers at once: each with its outcome, in order, told as it comes", async () => {
  await using server = StunServer.open({ port: 0, addresses: ["127.0.0.1"] });
  await using silent = UDPSocket.open({ address: "127.0.0.1" });
  await using socket = UDPSocket.open({ address: "127.0.0.1" });
  const told: StunServerOutcome[] = [];
  const servers = [
    `stun:127.0.0.1:${silent.localPort}`,
    `stun:127.0.0.1:${server.port}`,
    `localhost:${server.port}`,
    "stuns:example.org",
    `[::1]:${server.port}`,
    "stun:name.invalid",
  ];
  const outcomes = await stunBinding(socket, servers, { timeoutMs: 1000, onOutcome: (outcome) => told.push(outcome) });
  const mapped = { address: "127.0.0.1", port: socket.localPort };
  expect(outcomes.map(({ server: name, mapped: at, error }) => [name, at ?? error?.failure])).toEqual([
    [servers[0], "timeout"],
    [servers[1], mapped],
    [servers[2], mapped],
    [servers[3], "invalid-server"],
    [servers[4], "unsendable"],
    [servers[5], "unresolvable"],
  ]);
  expect(outcomes[1]).toMatchObject({
    address: { address: "127.0.0.1", port: server.port },
    rttMs: expect.any(Number),
  });
  expect(told).toHaveLength(6);
  expect(told.indexOf(outcomes[1] as StunServerOutcome)).toBeLessThan(told.indexOf(outcomes[0] as StunServerOutcome));
});

describe("on a socket where a game runs", () => {
  test("game packets and unexpected STUN answers reach the game, expected ones do not", async () => {
    await using server = StunServer.open({ port: 0, addresses: ["127.0.0.1"] });
    await using game = UDPSocket.open();
    await using peer = UDPSocket.open({ address: "127.0.0.1" });
    const heard: boolean[] = [];
    const both = new Promise<void>((resolve) => {
      game.onDatagram = (data) => {
        if (heard.push(isStun(data)) === 2) resolve();
      };
    });
    const asking = stunBinding(game, [`127.0.0.1:${server.port}`]);
    peer.send(Buffer.from("game"), game.localPort, "127.0.0.1");
    const forged = Buffer.from("010100002112a442000000000000000000000000", "hex");
    peer.send(forged, game.localPort, "127.0.0.1");
    const [outcome] = await asking;
    expect(outcome?.mapped).toEqual({ address: "127.0.0.1", port: game.localPort });
    await both;
    expect(heard).toEqual([false, true]);
  });

  test("an answer from elsewhere is not believed", async () => {
    await using liar = UDPSocket.open({ address: "127.0.0.1" });
    await using asked = UDPSocket.open({ address: "127.0.0.1" });
    await using game = UDPSocket.open({ address: "127.0.0.1" });
    const { respondToStun } = await import("../../../sdk/src/stun/responder.ts");
    asked.onDatagram = (data, address, port) => {
      const reply = respondToStun(data, { address: "198.51.100.1", port: 1 });
      if (reply !== null) liar.send(reply.data, port, address);
    };
    const [outcome] = await stunBinding(game, [`127.0.0.1:${asked.localPort}`], { timeoutMs: 100 });
    expect(outcome?.error?.failure).toBe("timeout");
  });

  test("a socket that answers STUN too keeps its other packets", async () => {
    await using socket = UDPSocket.open({ address: "127.0.0.1" });
    await using client = UDPSocket.open({ address: "127.0.0.1" });
    const stop = answerStun(socket);
    const [outcome] = await stunBinding(client, [`127.0.0.1:${socket.localPort}`]);
    expect(outcome?.mapped?.port).toBe(client.localPort);
    const heard = new Promise<Buffer>((resolve) => {
      socket.onDatagram = resolve;
    });
    client.send(Buffer.from("game"), socket.localPort, "127.0.0.1");
    expect((await heard).toString()).toBe("game");
    stop();
  });
});

test("giving up: by a signal, and by the socket's closing", async () => {
  await using silent = UDPSocket.open({ address: "127.0.0.1" });
  const socket = UDPSocket.open({ address: "127.0.0.1" });
  const name = `127.0.0.1:${silent.localPort}`;
  expect((await stunBinding(socket, [name], { signal: AbortSignal.abort() }))[0]?.error?.failure).toBe("aborted");
  const controller = new AbortController();
  const asking = stunBinding(socket, [name], { signal: controller.signal });
  setImmediate(() => {
    controller.abort();
  });
  expect((await asking)[0]?.error?.failure).toBe("aborted");
  const closing = stunBinding(socket, [name]);
  setImmediate(() => void socket.close());
  expect((await closing)[0]?.error?.failure).toBe("aborted");
  expect((await stunBinding(socket, [name]))[0]?.error?.failure).toBe("unsendable");
});

test("a server with two addresses tells of the other", async () => {
  await using server = StunServer.open({ port: 0, addresses: ["127.0.0.1", "127.0.0.2"] });
  await using socket = UDPSocket.open({ address: "127.0.0.1" });
  const [outcome] = await stunBinding(socket, [`127.0.0.1:${server.port}`]);
  expect(outcome?.otherAddress?.address).toBe("127.0.0.2");
  expect(outcome?.otherAddress?.port).not.toBe(server.port);
});

test("over IPv6", async (context) => {
  await using socket = UDPSocket.open();
  if (!socket.dualStack) context.skip("IPv6 is off on this machine");
  await using server = StunServer.open({ port: 0, addresses: ["::1"] });
  const [outcome] = await stunBinding(socket, [`stun:[0:0::1]:${server.port}`]);
  expect(outcome?.mapped).toEqual({ address: "::1", port: socket.localPort });
});
