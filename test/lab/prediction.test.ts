// Colyseus' lag compensation over a bad line: what a player saw when it fired is what counts.
import { expect, test } from "vitest";
import { Lab, Line } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";
import type { ShooterReport } from "./modules/shooter.ts";

const SHOTS = 50;
const ROUND_TRIP_MS = 120;
const LOSS = 0.05;

describeLab("prediction on a bad line", () => {
  test(`two players, ${ROUND_TRIP_MS} ms and ${LOSS * 100} % loss: of 100 shots 99 hit as they were seen to`, async () => {
    await using lab = await Lab.create();
    const [home, ...players] = await Promise.all([lab.host(), lab.host(), lab.host()]);
    const server = home.spawnModule(new URL("./modules/arena-server.ts", import.meta.url), { port: 7777 });
    await server.waitForLine(/listening/);
    const shooters = await Promise.all(
      players.map(async (player) => {
        const line = await Line.between(home, player, { delayMs: ROUND_TRIP_MS / 2, loss: LOSS });
        const url = `http://${line.addresses[0]}:7777`;
        return player.spawnModule(new URL("./modules/shooter.ts", import.meta.url), { url, shots: SHOTS });
      }),
    );
    type Report = ShooterReport & Record<string, unknown>;
    const reports = await Promise.all(
      shooters.map((shooter) => shooter.waitForJson<Report>(({ event }) => event === "report", 90_000)),
    );
    for (const shooter of shooters) shooter.write("done\n");
    const judged = reports.reduce((sum, report) => sum + report.judged, 0);
    const agreed = reports.reduce((sum, report) => sum + report.agreed, 0);
    expect(judged).toBe(2 * SHOTS);
    expect(agreed, JSON.stringify(reports)).toBeGreaterThanOrEqual(2 * SHOTS - 1);
    for (const { path, rttMs } of reports) {
      expect(path).toBe("direct");
      expect(rttMs).toBeGreaterThanOrEqual(ROUND_TRIP_MS);
    }
  });
});
