// The first release and the present one, as they meet when a game was updated and its players were not, or the other way round: by
// address and by invite. See README.md beside this file.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ProgramLines } from "../program-lines.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PROGRAMS = fileURLToPath(new URL("./programs/", import.meta.url));
const FIRST = fileURLToPath(new URL("./sallyport-0.1.0.tgz", import.meta.url));
/** Of the workspace, for both releases. */
const DEPENDENCIES = ["@colyseus", "default-gateway", "fast-xml-parser", "libsodium-wrappers", "undici"];
/** What a session over UDP may take to be given up (client.ts); nobody waits so long. */
const UDP_TIMEOUT_MS = 2500;

type Release = "0.1.0" | "this";
const folders = new Map<Release, string>();
const running: Program[] = [];
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-releases-"));
  for (const release of ["0.1.0", "this"] as const) {
    const own = join(folder, release);
    const modules = join(own, "node_modules");
    mkdirSync(modules, { recursive: true });
    cpSync(PROGRAMS, own, { recursive: true });
    for (const name of DEPENDENCIES) symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
    if (release === "this") symlinkSync(join(ROOT, "sdk"), join(modules, "sallyport"));
    else {
      execFileSync("tar", ["xzf", FIRST, "-C", modules]);
      symlinkSync("package", join(modules, "sallyport"));
    }
    folders.set(release, own);
  }
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((program) => program[Symbol.asyncDispose]()));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Line extends Record<string, unknown> {
  event: string;
}

interface Joined extends Line {
  event: "joined";
  kind: string;
  reason: string;
  echo: string;
  /** From the question for a way in to the room. */
  tookMs: number;
}

class Program implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #lines: ProgramLines;

  constructor(release: Release, name: "host" | "player" | "lobby", args: object) {
    this.#process = spawn(process.execPath, [join(folders.get(release) ?? "", `${name}.ts`), JSON.stringify(args)], {
      env: { ...process.env, NO_COLOR: "1", SALLYPORT_VIA: "none", SALLYPORT_LAN: "none", SALLYPORT_STUN_URLS: "" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#lines = new ProgramLines(this.#process);
    running.push(this);
  }

  /** The first line that tells one of these. */
  tells<T extends Line>(...events: string[]): Promise<T> {
    return this.#lines.find(`event ${events.join(" or ")}`, (lines) => {
      for (const { stream, text } of lines) {
        if (stream !== "stdout" || !text.startsWith("{")) continue;
        const line = JSON.parse(text) as T;
        if (events.includes(line.event)) return line;
      }
      return undefined;
    });
  }

  /** What it said of versions. */
  get notices(): string[] {
    return this.#lines.all.map(({ text }) => text).filter((text) => /speaks .*protocol/.test(text));
  }

  get output(): string {
    return this.#lines.text();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#lines.over) this.#process.kill("SIGTERM");
    await this.#lines.ended(() => this.#process.kill("SIGKILL"));
  }
}

async function openLobby(release: Release): Promise<string> {
  const { url } = await new Program(release, "lobby", {}).tells<Line & { url: string }>("listening");
  return url;
}

async function openHost(release: Release, lobby?: string): Promise<{ host: Program; url: string; invite: string }> {
  const host = new Program(release, "host", lobby === undefined ? {} : { lobby });
  const { url } = await host.tells<Line & { url: string }>("listening");
  if (lobby === undefined) return { host, url, invite: "" };
  const told = await host.tells<Line & { url: string }>("invite", "failed");
  expect(told.event, host.output).toBe("invite");
  return { host, url, invite: told.url };
}

async function play(release: Release, where: { url: string } | { invite: string }): Promise<Joined> {
  const player = new Program(release, "player", where);
  const told = await player.tells<Joined>("joined", "failed");
  expect(told, player.output).toMatchObject({ event: "joined", echo: "hello" });
  return told;
}

/** By UDP where both speak alike, else by WebSocket, at once, and with the reason. */
function expectPath({ kind, reason, tookMs }: Joined, host: Release, player: Release): void {
  if (host === player) {
    expect(kind).toBe("direct");
    return;
  }
  expect(kind).toBe("websocket");
  expect(tookMs).toBeLessThan(UDP_TIMEOUT_MS);
  expect(reason).toBe(
    host === "this"
      ? "UDP: no connect token: This game's server speaks Sallyport protocol 2, this client 1: update the client"
      : "UDP: This game's server speaks Sallyport protocol 1, this client 2: update the server; playing over WebSocket meanwhile",
  );
}

const PAIRS = [
  { host: "this", player: "this" },
  { host: "0.1.0", player: "0.1.0" },
  { host: "this", player: "0.1.0" },
  { host: "0.1.0", player: "this" },
] as const;

describe("by address", () => {
  test.each(PAIRS)("host of $host, player of $player", async ({ host: release, player }) => {
    const { host, url } = await openHost(release);
    for (let n = 0; n < 3; n++) expectPath(await play(player, { url }), release, player);
    // One line, however many players.
    expect(host.notices).toEqual(
      release === "this" && player !== release
        ? [
            expect.stringMatching(
              /A player's client speaks Sallyport protocol 1, this server 2: update the client, which plays over WebSocket meanwhile\.$/,
            ),
          ]
        : [],
    );
  });
});

describe.each(["this", "0.1.0"] as const)("by invite, through a lobby of %s", (lobbyRelease) => {
  test.each(PAIRS)("host of $host, player of $player", async ({ host: release, player }) => {
    const lobby = await openLobby(lobbyRelease);
    const { host, invite } = await openHost(release, lobby);
    for (let n = 0; n < 2; n++) expectPath(await play(player, { invite }), release, player);
    expect(host.notices.length).toBe(release === "this" && player !== release ? 1 : 0);
  });
});
