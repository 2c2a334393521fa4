/** A lobby of two processes, as `npm run lobby` starts them with REDIS_URL: what it grants, it grants once for both. */
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { resolveInvite } from "../../sdk/src/rendezvous/guest/resolve.ts";
import { HostRegistration } from "../../sdk/src/rendezvous/host/registration.ts";
import { RendezvousError } from "../../sdk/src/rendezvous/wire/errors.ts";
import { freePort, RunningProgram } from "./lobby-programs.ts";
import { hasRedis, Redis } from "./redis.ts";

let redis: Redis;
let lobbies: RunningProgram[];
let urls: string[];
const registrations: HostRegistration[] = [];

const lobbyOf = (index: number): string => urls[index % 2] ?? "";

async function guess(lobby: string): Promise<string> {
  const letters = Array.from({ length: 8 }, () => "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"[Math.floor(Math.random() * 32)]);
  try {
    await resolveInvite(letters.join(""), { lobby });
    return "found";
  } catch (error) {
    return error instanceof RendezvousError ? error.code : String(error);
  }
}

/** The invite, or why there is none. */
async function host(lobby: string): Promise<string> {
  const registration = new HostRegistration({ lobby, name: "Game", retryMs: [60_000, 60_000] });
  registrations.push(registration);
  const refused = once(registration, "lost").then(([error]) => (error as RendezvousError).code);
  const opened = registration.open().then(({ code }) => code);
  opened.catch(() => undefined);
  return await Promise.race([opened, refused]);
}

describe.runIf(hasRedis)("two processes and a Redis", () => {
  beforeAll(() => {
    vi.spyOn(console, "warn").mockReturnValue();
    vi.spyOn(console, "info").mockReturnValue();
  });
  // A Redis for each test: what it counts is what is tested.
  beforeEach(async () => {
    redis = await Redis.start();
    const ports = [await freePort(), await freePort()];
    lobbies = ports.map((port) => new RunningProgram("lobby.ts", [], { PORT: String(port), REDIS_URL: redis.socket }));
    await Promise.all(lobbies.map((lobby) => lobby.line(/Lobby at/)));
    urls = ports.map((port) => `http://127.0.0.1:${port}/`);
  });
  afterEach(async () => {
    await Promise.all(registrations.splice(0).map((registration) => registration.close()));
    await Promise.all(lobbies.map((lobby) => lobby[Symbol.asyncDispose]()));
    await redis[Symbol.asyncDispose]();
  });
  afterAll(() => vi.restoreAllMocks());

  test("wrong codes, asked of both in turn: no more than of one", async () => {
    const began = performance.now();
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => guess(lobbyOf(i))));
    const seconds = (performance.now() - began) / 1000;
    const learnt = answers.filter((code) => code === "unknown-invite").length;
    expect(learnt).toBeGreaterThanOrEqual(20);
    expect(learnt).toBeLessThanOrEqual(30 + Math.ceil(seconds));
    expect(new Set(answers)).toEqual(new Set(["unknown-invite", "rate-limited"]));
  });

  test("games of one address, brought to both in turn: sixteen; and each is found by both", async () => {
    const answers = [];
    for (let i = 0; i < 20; i++) answers.push(await host(lobbyOf(i)));
    const codes = answers.filter((answer) => answer.includes("-") && answer !== "rate-limited");
    expect(codes).toHaveLength(16);
    expect(answers.filter((answer) => answer === "rate-limited")).toHaveLength(4);
    // Right codes cost nothing, wherever their games are.
    const found = await Promise.all(
      codes.flatMap((code) => urls.map((lobby) => resolveInvite(code, { lobby, timeoutMs: 30_000 }))),
    );
    expect(found).toHaveLength(32);
  });

  test("a process that is killed: its games do not count for ever, and its codes are free for their hosts", async () => {
    const codes = [];
    for (let i = 0; i < 4; i++) codes.push(await host(lobbyOf(1)));
    expect(codes.every((code) => /^\w{4}-\w{4}$/.test(code))).toBe(true);
    lobbies[0]?.process.kill("SIGKILL");
    await lobbies[0]?.exited;
    // A host comes back by its secret, though the dead process has not let go of its code.
    for (const { secret } of registrations.splice(0)) {
      const again = new HostRegistration({ lobby: lobbyOf(1), name: "Again", secret, retryMs: [100, 500] });
      registrations.push(again);
      expect(codes).toContain((await again.open()).code);
    }
  });
});
