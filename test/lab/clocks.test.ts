// Wall clocks are set while people play: hours either way, on any side. Nothing that lets players in may depend on them.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Host, Lab, type LabProcess } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CLOCK = fileURLToPath(new URL("./modules/stepped-clock.ts", import.meta.url));
const HOUR_MS = 3_600_000;
/** Twenty looks of the clock's, and two of whoever reads it. */
const SEEN_MS = 600;
const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/lobby/src/${name}.ts`, import.meta.url));

interface JoinResult extends Record<string, unknown> {
  connected: boolean;
  path: string;
  connectMs: number;
  reason: string;
}

/** A program of ours whose clock can be set. */
class Clocked {
  readonly process: LabProcess;
  readonly #file: string;

  constructor(machine: Host, name: string, args: readonly string[], aheadMs = 0) {
    this.#file = join(machine.directory, `${name}-clock`);
    this.step(aheadMs);
    this.process = machine.spawn([process.execPath, "--import", CLOCK, program(name), ...args], {
      cwd: ROOT,
      env: {
        CLOCK_FILE: this.#file,
        PUBLIC_URL: `http://${machine.address}:2567`,
        SALLYPORT_VIA: "none",
        NO_COLOR: "1",
      },
    });
  }

  step(aheadMs: number): void {
    writeFileSync(this.#file, String(aheadMs));
  }
}

describeLab("a game that only punching reaches, while clocks are set", () => {
  let lab: Lab;
  let lobby: Clocked;
  let game: Clocked;
  let player: Host;
  let invite = "";

  beforeAll(async () => {
    lab = await Lab.create();
    const [home, away, meeting] = await Promise.all([
      lab.gateway({ nat: "port-restricted" }),
      lab.gateway({ nat: "port-restricted" }),
      lab.host(),
    ]);
    const machine = await home.host();
    player = await away.host();
    lobby = new Clocked(meeting, "lobby", []);
    await lobby.process.waitForPort("tcp", 2567);
    game = new Clocked(machine, "host", ["--lobby", `http://${meeting.address}:2567`, "--json"]);
    const event = await game.process.waitForJson<{ event: string; url: string }>(
      ({ event }) => event === "invite",
      20_000,
    );
    invite = event.url;
  }, 60_000);
  afterAll(async () => await lab?.[Symbol.asyncDispose]());

  test.each([
    { what: "the host's is set back by an hour", host: -HOUR_MS, lobby: 0, player: 0 },
    {
      what: "the host's and the lobby's go apart, the player's is behind",
      host: 5 * HOUR_MS,
      lobby: -HOUR_MS,
      player: -24 * HOUR_MS,
    },
    {
      what: "the lobby's is set ahead by a day, the player's is ahead",
      host: 0,
      lobby: 24 * HOUR_MS,
      player: 5 * HOUR_MS,
    },
  ])("$what: joined at once, by the same invite", async (ahead) => {
    game.step(ahead.host);
    lobby.step(ahead.lobby);
    await new Promise((resolve) => setTimeout(resolve, SEEN_MS));
    const joining = new Clocked(player, "join", [invite, "--seconds", "0.5", "--json"], ahead.player);
    const joined = await joining.process.waitForJson<JoinResult>((value) => "connected" in value, 40_000);
    expect(joined, joining.process.output.join("\n")).toMatchObject({ connected: true });
    expect(["direct", "punched"]).toContain(joined.path);
    // On an idle machine a second; the 12 s that UDP is waited for by invite would be a failure told late.
    expect(joined.connectMs).toBeLessThan(6000);
  });
});
