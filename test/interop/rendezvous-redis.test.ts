/** A lobby of two processes that share a Redis: hosts at one, players at the other, and one that is killed. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { introduce } from "../../sdk/src/rendezvous/guest/introduce.ts";
import { resolveInvite } from "../../sdk/src/rendezvous/guest/resolve.ts";
import { HostRegistration, type HostRegistrationOptions } from "../../sdk/src/rendezvous/host/registration.ts";
import { type Introduction } from "../../sdk/src/rendezvous/sealed/introduction.ts";
import { parseInvite } from "../../sdk/src/rendezvous/wire/invite.ts";
import { until } from "../until.ts";
import { freePort } from "./lobby-programs.ts";
import { hasRedis, Redis } from "./redis.ts";

class LobbyProcess {
  readonly url: string;
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.url = `http://127.0.0.1:${port}/`;
    this.#child = child;
  }

  static async start(redis: string): Promise<LobbyProcess> {
    const port = await freePort();
    const module = fileURLToPath(new URL("rendezvous-lobby-process.ts", import.meta.url));
    const child = fork(module, [JSON.stringify({ port, redis })], {
      // How long Colyseus waits for another process, ms, before it takes it for gone and makes the room a second time. The
      // default is 2000, which a busy machine may need to answer.
      env: { ...process.env, COLYSEUS_PRESENCE_SHORT_TIMEOUT: "5000" },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    const lobby = new LobbyProcess(port, child);
    await Promise.race([
      once(child, "message"),
      once(child, "exit").then(([code]) => {
        throw new Error(`the lobby ended with ${code}`);
      }),
    ]);
    return lobby;
  }

  async games(): Promise<{ name: string }[]> {
    this.#child.send({ list: true });
    const [{ games }] = (await once(this.#child, "message")) as [{ games: { name: string }[] }];
    return games;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }
}

describe.runIf(hasRedis)("two lobby processes and a Redis", () => {
  let redis: Redis;
  let a: LobbyProcess;
  let b: LobbyProcess;
  const registrations: HostRegistration[] = [];

  beforeAll(async () => {
    vi.spyOn(console, "warn").mockReturnValue();
    vi.spyOn(console, "info").mockReturnValue();
    redis = await Redis.start();
    [a, b] = await Promise.all([LobbyProcess.start(redis.socket), LobbyProcess.start(redis.socket)]);
  });

  afterAll(async () => {
    await Promise.all(registrations.map((registration) => registration.close()));
    await Promise.all([a?.kill(), b?.kill()]);
    await redis?.[Symbol.asyncDispose]();
  });

  async function host(lobby: string, name: string, options: Partial<HostRegistrationOptions> = {}) {
    const registration = new HostRegistration({ lobby, name, retryMs: [50, 200], ...options });
    registrations.push(registration);
    registration.on("introduction", (introduction: Introduction) =>
      introduction.onMessage((data) => introduction.send(data)),
    );
    const invite = await registration.open();
    return { registration, ...invite, seal: parseInvite(invite.url)?.seal ?? "" };
  }

  /** What comes back from the host, by this lobby. */
  async function echo(lobby: string, code: string, seal: string): Promise<Uint8Array> {
    const introduction = await introduce(`${lobby}#${code}.${seal}`, { timeoutMs: 20_000 });
    const answer = new Promise<Uint8Array>((resolve) => introduction.onMessage(resolve));
    introduction.send(Uint8Array.of(1, 2, 3));
    const data = await answer;
    expect(introduction).toMatchObject({ authenticated: true, servers: { stun: ["stun:stun.example:3478"] } });
    introduction.close();
    return data;
  }

  test("a player at one is introduced to a host at the other; both list all games", async () => {
    // Colyseus makes each room where there are fewest: of four hosts, some are on either.
    const hosts = [];
    for (const name of ["one", "two", "three", "four"]) {
      hosts.push(await host(a.url, name, { endpoints: ["http://203.0.113.7:7777"] }));
    }
    for (const { code, seal } of hosts) {
      for (const lobby of [a, b]) {
        expect(await echo(lobby.url, code, seal)).toEqual(Uint8Array.of(1, 2, 3));
        expect((await resolveInvite(code, { lobby: lobby.url })).endpoints).toEqual(["http://203.0.113.7:7777"]);
      }
    }
    for (const lobby of [a, b]) {
      const names = (await lobby.games()).map(({ name }) => name).sort();
      expect(names).toEqual(["four", "one", "three", "two"]);
    }
    await Promise.all(registrations.splice(0).map((registration) => registration.close()));
  });

  test("a process is killed: its hosts return by the other with the same link, and players find them", async () => {
    // What a load balancer is to a lobby of several processes.
    let target = a.port;
    const through = new Set<Socket>();
    const balancer = createServer((inside) => {
      const outside = connect(target, "127.0.0.1");
      for (const each of [inside, outside]) {
        through.add(each);
        each.on("error", () => each.destroy());
        each.on("close", () => through.delete(each));
      }
      inside.pipe(outside).pipe(inside);
    });
    balancer.listen(0, "127.0.0.1");
    await once(balancer, "listening");
    const url = `http://127.0.0.1:${(balancer.address() as { port: number }).port}/`;
    const hosts = await Promise.all(["five", "six", "seven", "eight"].map((name) => host(url, name)));
    await a.kill();
    target = b.port;
    for (const each of through) each.destroy();
    for (const { registration, url: link, code, seal } of hosts) {
      // Those whose room was at the other process have lost nothing; the others need a moment.
      const answer = await until(() => echo(b.url, code, seal).catch(() => undefined), { everyMs: 100 });
      expect(answer).toEqual(Uint8Array.of(1, 2, 3));
      expect(registration.invite?.url).toBe(link);
    }
    expect((await b.games()).map(({ name }) => name).sort()).toEqual(["eight", "five", "seven", "six"]);
    balancer.close();
    for (const each of through) each.destroy();
  });
});
