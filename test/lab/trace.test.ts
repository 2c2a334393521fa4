// Three joins that fail, understood from their traces alone; and no trace holds a secret.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type Host, Lab, type LabProcess } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";
import { leaksOf } from "./leaks.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DOCUMENT = join(ROOT, "docs/troubleshooting.md");
const HOOK = new URL("./modules/secrets.ts", import.meta.url).href;
const program = (name: string): string => join(ROOT, `examples/lobby/src/${name}.ts`);

/** A program whose trace is kept, by NODE_DEBUG and by --trace, with what it must not tell. */
class Traced {
  readonly process: LabProcess;
  readonly #file: string;
  readonly #secrets: string;

  constructor(machine: Host, name: "host" | "join", args: readonly string[], env: Record<string, string> = {}) {
    this.#file = join(machine.directory, `${name}.jsonl`);
    this.#secrets = join(machine.directory, `${name}.secrets`);
    this.process = machine.spawn([process.execPath, program(name), ...args, "--json", "--trace", this.#file], {
      cwd: ROOT,
      env: {
        NODE_DEBUG: "sallyport",
        NODE_OPTIONS: `--import=${HOOK}`,
        SALLYPORT_TEST_SECRETS: this.#secrets,
        ...env,
      },
    });
  }

  /** Lines of NODE_DEBUG, without process and time. */
  get lines(): string[] {
    return this.process.output.flatMap((line) => {
      const [, room, text] = /^SALLYPORT:([A-Z]+) \d+ [\d.]+ (.*)$/.exec(line) ?? [];
      return room === undefined || text === undefined ? [] : [`${room.toLowerCase()} ${text}`];
    });
  }

  /** The same events in the file. */
  get events(): Record<string, unknown>[] {
    const lines = readFileSync(this.#file, "utf8").trimEnd().split("\n");
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Everything that was traced. */
  get trace(): string {
    return `${this.lines.join("\n")}\n${readFileSync(this.#file, "utf8")}`;
  }

  /** What was random in the process. */
  get secrets(): string[] {
    return readFileSync(this.#secrets, "utf8").trimEnd().split("\n");
  }
}

/** Each line is there, in the file too. */
function expectLines(traced: Traced, expected: readonly RegExp[]): void {
  const { lines, events } = traced;
  for (const line of expected) expect(lines, String(line)).toContainEqual(expect.stringMatching(line));
  const names = new Set(events.map(({ room, event }) => `${String(room)} ${String(event)}`));
  for (const line of lines) expect(names).toContain(line.split(" ", 2).join(" "));
}

/** Nothing that gives power over a session, a seat, a relay or a mapping. */
function expectNoSecret(programs: readonly Traced[], known: readonly string[]): void {
  for (const { secrets } of programs) expect(secrets.length).toBeGreaterThan(20);
  // One side's trace must not tell the other's either.
  const all = programs.flatMap(({ secrets }) => secrets);
  for (const { trace } of programs) expect(leaksOf(trace, all, known)).toEqual([]);
}

/** Lines that the document quotes, of which `…` leaves something out, are those of this run but for numbers. */
function expectDocumented(heading: string, ...programs: readonly Traced[]): void {
  const section = readFileSync(DOCUMENT, "utf8").split(`### ${heading}\n`)[1]?.split("\n#", 1)[0] ?? "";
  const quoted = section.split("\n").filter((line) => line.startsWith("SALLYPORT:"));
  expect(quoted.length).toBeGreaterThan(3);
  const blank = (line: string): string => line.replaceAll(/\d+(\.\d+)*/g, "0");
  const real = programs.flatMap(({ process: { output } }) => output).map(blank);
  for (const line of quoted) {
    const parts = blank(line).split("…");
    const fits = (each: string): boolean => {
      let at = 0;
      for (const part of parts) {
        const found = each.indexOf(part, at);
        if (found < 0) return false;
        at = found + part.length;
      }
      return true;
    };
    expect(real.some(fits), `${line}\nis no line of this run:\n${real.join("\n")}`).toBe(true);
  }
}

interface Invite extends Record<string, unknown> {
  event: string;
  url: string;
}

interface Report extends Record<string, unknown> {
  connected: boolean;
  pairs: { via: string; remote: string; outcome: string; why: string | null }[];
}

/** Code and seal of an invite's link. */
const partsOf = ({ url }: Invite): string[] => {
  const [code = "", seal = ""] = (url.split("#")[1] ?? "").split(".");
  return [code, code.replace("-", ""), seal];
};

async function startLobby(lab: Lab, env: Record<string, string>): Promise<string> {
  const machine = await lab.host();
  const url = `http://${machine.address}:2567`;
  const lobby = machine.spawn([process.execPath, program("lobby")], { cwd: ROOT, env: { PUBLIC_URL: url, ...env } });
  await lobby.waitForPort("tcp", 2567);
  return url;
}

async function failedJoin(player: Traced): Promise<Report> {
  const report = await player.process.waitForJson<Report>((value) => "connected" in value, 60_000);
  expect(report.connected, player.process.output.join("\n")).toBe(false);
  expect((await player.process.exited).code).toBe(1);
  return report;
}

async function end({ process }: Traced): Promise<void> {
  process.kill("SIGTERM");
  expect((await process.exited).code, process.output.join("\n")).toBe(0);
}

const CREDENTIAL = { username: "relay-user-7", credential: "not-the-right-0ne" };

describeLab("a join that fails is understood from its trace", () => {
  test("the relay refuses the lobby's credential, and nothing else can work", async () => {
    await using lab = await Lab.create();
    const coturn = await lab.coturn({ users: { [CREDENTIAL.username]: "the-right-one" } });
    const lobby = await startLobby(lab, {
      STUN_URLS: coturn.addresses.map((address) => `stun:${address}:3478`).join(","),
      TURN_URLS: `turn:${coturn.address}:3478`,
      TURN_USERNAME: CREDENTIAL.username,
      TURN_CREDENTIAL: CREDENTIAL.credential,
    });
    const [near, far] = await Promise.all([lab.gateway({ nat: "symmetric" }), lab.gateway({ nat: "symmetric" })]);
    const [home, away] = await Promise.all([near.host(), far.host()]);
    const host = new Traced(home, "host", ["--lobby", lobby]);
    const invite = await host.process.waitForJson<Invite>(({ event }) => event === "invite", 20_000);
    const player = new Traced(away, "join", [invite.url]);
    const { pairs } = await failedJoin(player);
    await end(host);

    expect(pairs.length).toBeGreaterThan(0);
    for (const pair of pairs) expect(pair).toMatchObject({ via: "socket", outcome: "failed", why: null });
    expectLines(player, [
      /^rendezvous introduced authenticated=true .* stun=2 turn=1/,
      /^turn refused ask=allocate .* code=401 failure=unauthorized reason=".*username and credential are wrong/,
      /^ice pair-failed peer=1 via=socket remote=\S+ remoteType=reflexive checks=\d+ reason=no-answer$/,
      /^ice state peer=1 state=failed was=checking$/,
      /^colyseus way-failed way=UDP /,
      /^colyseus way-failed way=WebSocket /,
      /^colyseus join-failed /,
    ]);
    expectLines(host, [
      /^nat behaviour .* mapping=address-and-port-dependent filtering=address-and-port-dependent/,
      /^connectivity verdict verdict=relay-only was=punchable/,
      /^turn refused ask=allocate .* code=401/,
      /^turn retry failure=unauthorized code=401 retryInMs=/,
      /^rendezvous introduction-begun id=1 withLink=true$/,
      /^session path-awaited path=path:1/,
    ]);
    expectDocumented("The relay refuses", host, player);
    expectNoSecret([host, player], [...partsOf(invite), ...Object.values(CREDENTIAL)]);
  });

  test("a firewall before the host: no port is mapped, and no UDP gets out", async () => {
    await using lab = await Lab.create();
    const coturn = await lab.coturn();
    const lobby = await startLobby(lab, {
      STUN_URLS: coturn.addresses.map((address) => `stun:${address}:3478`).join(","),
    });
    const [firewall, far] = await Promise.all([lab.gateway({ upnp: false, blockUdp: true }), lab.gateway()]);
    const [home, away] = await Promise.all([firewall.host(), far.host()]);
    const host = new Traced(home, "host", ["--lobby", lobby]);
    const invite = await host.process.waitForJson<Invite>(({ event }) => event === "invite", 20_000);
    const player = new Traced(away, "join", [invite.url]);
    await failedJoin(player);
    await end(host);

    expectLines(host, [
      /^gateway no-answer protocol=pcp operation=announce /,
      /^gateway finding step=upnp outcome=absent /,
      /^stun timeout server=\S+ ms=/,
      /^connectivity verdict verdict=lan-only localPort=7777 /,
    ]);
    expectLines(player, [
      /^stun answer server=\S+ mapped=\S+ /,
      /^ice candidate-refused peer=1 type=host at=192\.168\.\S+ .* scope=private reason=not-on-a-shared-network$/,
      /^colyseus way-failed way=UDP /,
      /^colyseus join-failed /,
    ]);
    expect(player.lines.filter((line) => line.startsWith("ice pair-answered"))).toEqual([]);
    expectDocumented("A firewall before the host", host, player);
    expectNoSecret([host, player], partsOf(invite));
  });

  test("the host has gone", async () => {
    await using lab = await Lab.create();
    const lobby = await startLobby(lab, { STUN_PORT: "0" });
    const [near, far] = await Promise.all([lab.gateway(), lab.gateway()]);
    const [home, away] = await Promise.all([near.host(), far.host()]);
    const host = new Traced(home, "host", ["--lobby", lobby]);
    const invite = await host.process.waitForJson<Invite>(({ event }) => event === "invite", 20_000);
    await end(host);
    const player = new Traced(away, "join", [invite.url]);
    await failedJoin(player);

    expectLines(player, [
      /^rendezvous lobby-asked lobby=\S+ as=guest$/,
      /^rendezvous lobby-refused as=guest code=unknown-invite reason="No host has this invite/,
      /^rendezvous introduction-failed code=unknown-invite /,
    ]);
    expect(player.lines.filter((line) => line.startsWith("ice "))).toEqual([]);
    expectLines(host, [
      /^rendezvous registered lobby=\S+ linkOnly=false$/,
      /^colyseus shutdown players=0$/,
      /^lan goodbye port=7777$/,
    ]);
    expectDocumented("The host has gone", host, player);
    expectNoSecret([host, player], partsOf(invite));
  });
});

describeLab("a join that succeeds", () => {
  test("tells from router to path how it came about, and no secret", async () => {
    await using lab = await Lab.create();
    const right = { ...CREDENTIAL, credential: "the-right-one" };
    const coturn = await lab.coturn({ users: { [right.username]: right.credential } });
    const lobby = await startLobby(lab, {
      STUN_URLS: coturn.addresses.map((address) => `stun:${address}:3478`).join(","),
      TURN_URLS: `turn:${coturn.address}:3478`,
      TURN_USERNAME: right.username,
      TURN_CREDENTIAL: right.credential,
    });
    const [near, far] = await Promise.all([lab.gateway({ upnp: { igd: 2 } }), lab.gateway({ nat: "symmetric" })]);
    const [home, away] = await Promise.all([near.host(), far.host()]);
    const host = new Traced(home, "host", ["--lobby", lobby]);
    const invite = await host.process.waitForJson<Invite>(({ event }) => event === "invite", 20_000);
    const player = new Traced(away, "join", [invite.url, "--seconds", "2"]);
    const report = await player.process.waitForJson<Report>((value) => "connected" in value, 60_000);
    expect(report, player.process.output.join("\n")).toMatchObject({ connected: true, path: "direct" });
    expect((await player.process.exited).code).toBe(0);
    await end(host);

    expect(report.pairs.some(({ outcome, why }) => outcome === "answered" && why !== null)).toBe(true);
    expectLines(host, [
      /^gateway gateway-found via=(pcp|nat-pmp|upnp) /,
      /^gateway mapped via=\S+ protocol=\S+ external=\S+:7777 internal=192\.168\.\S+:7777 /,
      /^turn relayed server=\S+ relayed=\S+ mapped=/,
      /^connectivity verdict verdict=mapped /,
      /^ice path peer=1 via=\S+ .* kind=direct .* why=(nominated|more-direct|first-answer) /,
      /^netcode connected from=/,
      /^session opened remote=\S+ kind=\S+ path=path:1 /,
      /^colyseus player-opened roomId=\S+ path=(direct|relayed|punched) /,
      /^session closed remote=\S+ reason=\S+ code=4000/,
      /^gateway unmapped via=/,
    ]);
    expectLines(player, [
      /^ice pair-answered peer=1 .* rttMs=/,
      /^ice nominated peer=1 .* by=us /,
      /^session connected remote=/,
      /^colyseus path kind=\S+ remote=\S+ reason="UDP gets through"/,
      /^colyseus joined name=arena /,
    ]);
    expectNoSecret([host, player], [...partsOf(invite), ...Object.values(right)]);
  });
});

test("a secret is found however it is written, and nothing else is", () => {
  const draws = ["00112233445566778899aabbccddeeff", "0a0b", "0c0d0e0f", "101112131415", "ff".repeat(32)];
  const [key = Buffer.alloc(0)] = draws.map((draw) => Buffer.from(draw, "hex"));
  for (let before = 0; before < 3; before++) {
    const token = Buffer.concat([Buffer.alloc(before, 7), key, Buffer.alloc(5, 9)]);
    for (const encoding of ["hex", "base64", "base64url"] as const) {
      expect(leaksOf(`event key=${token.toString(encoding)} ms=3`, draws, [])).toHaveLength(1);
    }
  }
  expect(leaksOf(`at=${Buffer.from("0b0c0d0e0f10", "hex").toString("base64")}`, draws, [])).toHaveLength(1);
  expect(leaksOf("code=K7Q2-9FXM", draws, ["K7Q2-9FXM"])).toEqual(["K7Q2-9FXM"]);
  expect(leaksOf("pair-selected remote=203.0.113.7:7777 remoteType=peer-reflexive", draws, ["K7Q2-9FXM"])).toEqual([]);
});
