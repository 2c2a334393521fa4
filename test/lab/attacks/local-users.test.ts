// Another user of the host's machine: asks the game's port from there, and looks at what programs were started with.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ExecResult, type Host, Lab } from "../lab/index.ts";
import { describeLab } from "../lab/vitest.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const program = (name: string): string => `${ROOT}/examples/lobby/src/${name}.ts`;
const NOBODY = "65534";

describeLab("another user of the host's machine", () => {
  let lab: Lab;
  let machine: Host;
  let page: string;
  let invite: string;

  beforeAll(async () => {
    lab = await Lab.create();
    machine = await lab.host();
    const lobby = machine.spawn([process.execPath, program("lobby")], { cwd: ROOT, env: { NO_COLOR: "1" } });
    await lobby.waitForLine(/Lobby at/, 20_000);
    const host = machine.spawn([process.execPath, program("host"), "--json", "--lobby", "http://127.0.0.1:2567"], {
      cwd: ROOT,
      env: { SALLYPORT_VIA: "none" },
    });
    ({ page } = await host.waitForJson<{ event: string; page: string }>(({ event }) => event === "listening", 20_000));
    ({ url: invite } = await host.waitForJson<{ event: string; url: string }>(
      ({ event }) => event === "invite",
      20_000,
    ));
  });
  afterAll(async () => await lab?.[Symbol.asyncDispose]());

  const curl = async (user: string, ...args: string[]): Promise<ExecResult> =>
    await machine.exec(["setpriv", `--reuid=${user}`, "--clear-groups", "curl", "-sS", "-m", "2", ...args]);
  /** The part of the link that opens the game. */
  const seal = (): string => invite.split("#")[1] ?? "";

  test("reads neither the invite nor the players, and takes no invite back", async () => {
    const { output } = await curl(
      "0",
      "-H",
      `Authorization: Bearer ${new URL(page).searchParams.get("key")}`,
      "http://localhost:7777/host/events",
    );
    expect(output).toContain(seal());
    for (const path of ["/host", "/host/events", "/host/host.js", "/host?key=guess", "/host/events?key="]) {
      for (const name of ["localhost", "127.0.0.1", "[::1]", machine.address]) {
        const answer = await curl(NOBODY, `http://${name}:7777${path}`);
        expect([path, name, answer.output]).toEqual([path, name, expect.not.stringContaining(seal())]);
        expect(answer.output).not.toMatch(/reachability|<html/);
      }
    }
    const refused = await curl(NOBODY, "-X", "POST", "-w", "%{http_code}", "http://localhost:7777/host/new-invite");
    expect(refused.output).toMatch(/403$/m);
  });

  test("does not see the seal of who joins by standard input", async () => {
    const player = machine.spawn([process.execPath, program("join"), "-", "--json", "--seconds", "4"], { cwd: ROOT });
    player.write(`${invite}\n`);
    player.endInput();
    const seen: string[] = [];
    while (!player.ended) seen.push((await machine.exec(["setpriv", `--reuid=${NOBODY}`, "ps", "-eo", "args"])).output);
    expect(await player.exited).toMatchObject({ code: 0 });
    expect(JSON.parse(player.stdout)).toMatchObject({ connected: true, lost: 0 });
    expect(seen.join("\n")).toContain("join.ts - --json");
    expect(seen.join("\n")).not.toContain(seal());
  });
});
