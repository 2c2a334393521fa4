import { afterEach, describe, expect, test } from "vitest";
import { LobbyServers } from "../../../../sdk/src/colyseus/lobby/own-servers.ts";
import { lobbyServersFromEnvironment } from "../../../../sdk/src/colyseus/lobby/servers-environment.ts";
import { UDPSocket } from "../../../../sdk/src/net/udp-socket.ts";

const NOTHING = { stunPort: 3478, stunUrls: undefined, turn: undefined, ownTurn: undefined };

describe("a lobby's environment", () => {
  test("without a word there is STUN on its own port, and no TURN", () => {
    expect(lobbyServersFromEnvironment({ STUN_URLS: "", TURN: "", TURN_URLS: " ", STUN_PORT: "" })).toEqual(NOTHING);
  });

  test("TURN of its own, with its ports and limits", () => {
    const environment = {
      TURN: "own",
      TURN_SECRET: "s",
      TURN_RELAY_PORTS: "50000-50999",
      TURN_MAX_ALLOCATIONS: "100",
      TURN_KBPS: "800",
      TURN_TOTAL_KBPS: "8000",
      TURN_TOTAL_GB: "0.5",
    };
    const limits = { allocations: 100, bytesPerSecond: 100_000, totalBytesPerSecond: 1_000_000, totalBytes: 5e8 };
    const ownTurn = { secret: "s", relayPorts: [50_000, 50_999], limits };
    expect(lobbyServersFromEnvironment(environment)).toEqual({ ...NOTHING, ownTurn });
  });

  test("servers of others, by secret or by name", () => {
    const urls = "turn:a.example:3478?transport=udp, turns:b.example";
    const list = ["turn:a.example:3478?transport=udp", "turns:b.example"];
    const stun = { STUN_URLS: "stun:c.example stun:d.example:1", STUN_PORT: "0" };
    expect(lobbyServersFromEnvironment({ ...stun, TURN_URLS: urls, TURN_SECRET: "s" })).toEqual({
      stunPort: 0,
      stunUrls: ["stun:c.example", "stun:d.example:1"],
      turn: { urls: list, secret: "s" },
      ownTurn: undefined,
    });
    const named = { TURN_URLS: urls, TURN_USERNAME: "u", TURN_CREDENTIAL: "c" };
    expect(lobbyServersFromEnvironment(named).turn).toEqual({ urls: list, username: "u", credential: "c" });
  });

  test.each([
    [{ STUN_PORT: "port" }, /STUN_PORT must be a port from 1 to 65535, or 0/],
    [{ STUN_PORT: "65536" }, /STUN_PORT must be a port/],
    [{ STUN_URLS: "stun.example" }, /STUN_URLS holds "stun\.example"\. One looks like stun:stun\.example:3478/],
    [{ TURN: "yes" }, /TURN must be own/],
    [{ TURN: "own", STUN_PORT: "0" }, /TURN=own needs a port/],
    [{ TURN: "own", TURN_URLS: "turn:a.example" }, /exclude each other/],
    [{ TURN: "own", TURN_RELAY_PORTS: "80-90" }, /TURN_RELAY_PORTS must be two ports from 1024 on/],
    [{ TURN: "own", TURN_RELAY_PORTS: "50000-49999" }, /TURN_RELAY_PORTS/],
    [{ TURN: "own", TURN_KBPS: "0" }, /TURN_KBPS must be a number above 0/],
    [{ TURN: "own", TURN_TOTAL_GB: "-1" }, /TURN_TOTAL_GB must be a number above 0/],
    [{ TURN: "own", TURN_MAX_ALLOCATIONS: "1.5" }, /TURN_MAX_ALLOCATIONS/],
    [{ TURN_URLS: "https://turn.example", TURN_SECRET: "s" }, /TURN_URLS holds/],
    [{ TURN_URLS: "turn:a.example" }, /TURN_URLS needs TURN_SECRET/],
  ])("%j is a mistake", (environment, sentence) => {
    expect(() => lobbyServersFromEnvironment(environment)).toThrow(sentence);
  });
});

describe("a lobby's servers", () => {
  const open: AsyncDisposable[] = [];
  afterEach(async () => {
    for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
  });
  const publicUrl = "http://127.0.0.1:2567/";
  const freePort = async (): Promise<number> => {
    await using socket = UDPSocket.open({ address: "127.0.0.1" });
    return socket.localPort;
  };
  async function serve(environment: Record<string, string>, url = publicUrl): Promise<LobbyServers> {
    const servers = await LobbyServers.open({ ...lobbyServersFromEnvironment(environment), publicUrl: url });
    open.push(servers);
    return servers;
  }

  test("STUN under the lobby's own name; a port that is taken is told", async () => {
    const port = await freePort();
    const servers = await serve({ STUN_PORT: `${port}` });
    expect([servers.options, servers.stunFailure]).toEqual([{ stun: [`stun:127.0.0.1:${port}`] }, undefined]);
    const second = await serve({ STUN_PORT: `${port}` });
    expect([second.options, second.stunFailure?.code]).toEqual([{ stun: [] }, "EADDRINUSE"]);
    expect((await serve({ STUN_PORT: "0" })).options).toEqual({ stun: [] });
  });

  test("TURN on the same port, over UDP and TCP; a port that is taken is an error", async () => {
    const port = await freePort();
    const { options, turn } = await serve({ STUN_PORT: `${port}`, TURN: "own" });
    const urls = ["udp", "tcp"].map((transport) => `turn:127.0.0.1:${port}?transport=${transport}`);
    expect(options).toEqual({
      stun: [`stun:127.0.0.1:${port}`],
      turn: { urls, secret: expect.stringMatching(/^.{64}$/) },
    });
    expect(turn?.port).toBe(port);
    await expect(serve({ STUN_PORT: `${port}`, TURN: "own" })).rejects.toThrow(/No TURN here: port \d+ cannot be had/);
  });

  test("a name without an address has no TURN", async () => {
    const served = serve({ TURN: "own" }, "http://lobby.invalid/");
    await expect(served).rejects.toThrow(/TURN=own needs an address for lobby\.invalid/);
  });

  test("what others serve is told as it is", async () => {
    const servers = await serve({
      STUN_PORT: "0",
      STUN_URLS: "stun:a.example",
      TURN_URLS: "turn:a.example",
      TURN_SECRET: "s",
    });
    expect(servers.options).toEqual({ stun: ["stun:a.example"], turn: { urls: ["turn:a.example"], secret: "s" } });
  });
});
