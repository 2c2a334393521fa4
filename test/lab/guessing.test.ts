// A symmetric NAT against one that filters by port: relayed at first, and direct once both have guessed long enough.
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { Lab } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/lobby/src/${name}.ts`, import.meta.url));

describeLab("guessing ports", () => {
  test("a relayed game becomes direct while it is played, and loses nothing", async () => {
    await using lab = await Lab.create();
    const coturn = await lab.coturn({ secret: "s" });
    const meeting = await lab.host();
    const lobby = `http://${meeting.address}:2567`;
    const lobbyProcess = meeting.spawn([process.execPath, program("lobby")], {
      cwd: ROOT,
      env: {
        PUBLIC_URL: lobby,
        STUN_URLS: coturn.addresses.map((address) => `stun:${address}:3478`).join(","),
        TURN_URLS: `turn:${coturn.address}:3478`,
        TURN_SECRET: "s",
      },
    });
    await lobbyProcess.waitForPort("tcp", 2567);
    const [home, away] = await Promise.all([
      lab.gateway({ nat: "port-restricted" }).then((gateway) => gateway.host()),
      lab.gateway({ nat: "symmetric" }).then((gateway) => gateway.host()),
    ]);
    const game = home.spawn([process.execPath, program("host"), "--lobby", lobby, "--json"], {
      cwd: ROOT,
      env: { SALLYPORT_VIA: "none" },
    });
    const { url } = await game.waitForJson<{ event: string; url: string }>(({ event }) => event === "invite", 20_000);
    // Three rounds of guessing fit in; the first meets in most runs.
    const player = away.spawn(
      [process.execPath, program("join"), url, "--seconds", "60", "--until", "punched", "--json"],
      {
        cwd: ROOT,
      },
    );
    const report = await player.waitForJson<Record<string, unknown>>((value) => "connected" in value, 90_000);
    expect(report, player.output.join("\n")).toMatchObject({ connected: true, path: "punched", lost: 0 });
    expect(report["upgrades"]).toBeGreaterThan(0);
    game.kill("SIGTERM");
    await game.exited;
  });
});
