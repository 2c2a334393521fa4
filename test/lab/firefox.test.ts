// The same client in Firefox, from a page on the internet to games there and at home. By the address of a game at home Firefox asks the
// player first, whom nobody plays here.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type Host, Lab } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";
import type { PageCase, PageReport } from "./modules/page-player.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const FIREFOX = "/usr/bin/firefox-esr";
const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/lobby/src/${name}.ts`, import.meta.url));

/** Nothing of it goes out by itself. */
const PREFERENCES = {
  "datareporting.policy.dataSubmissionEnabled": false,
  "toolkit.telemetry.enabled": false,
  "app.update.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "",
  "browser.shell.checkDefaultBrowser": false,
};

describeLab.runIf(existsSync(FIREFOX))("a page in Firefox", () => {
  test("gets in: by WebRTC where that may be, else by WebSocket", async () => {
    await using lab = await Lab.create();
    const house = await lab.gateway({ nat: "port-restricted" });
    const [player, home, meeting, rented] = await Promise.all([house.host(), house.host(), lab.host(), lab.host()]);
    const lobbyURL = `http://${meeting.address}:2567/`;
    const lobby = meeting.spawn([process.execPath, program("lobby")], { cwd: ROOT, env: { PUBLIC_URL: lobbyURL } });
    const page = meeting.spawnModule(new URL("./modules/auto-page.ts", import.meta.url), {
      address: meeting.address,
      port: 8080,
    });
    await Promise.all([lobby.waitForPort("tcp", 2567), page.waitForLine(/listening/)]);
    const host = async (machine: Host): Promise<string> => {
      const game = machine.spawn([process.execPath, program("host"), "--lobby", lobbyURL, "--json"], {
        cwd: ROOT,
        env: { SALLYPORT_VIA: "none" },
      });
      const { url } = await game.waitForJson<{ event: string; url: string }>(({ event }) => event === "invite", 20_000);
      return url;
    };
    const [near] = await Promise.all([host(home), host(rented)]);

    const open = async (how: Omit<PageCase, "page">): Promise<PageReport> => {
      const profile = join(player.directory, how.name);
      mkdirSync(profile);
      const preferences = Object.entries(PREFERENCES).map(
        ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`,
      );
      writeFileSync(join(profile, "user.js"), preferences.join("\n"));
      const url = `http://${meeting.address}:8080/?how=${encodeURIComponent(JSON.stringify(how))}`;
      await using _firefox = player.spawn([FIREFOX, "--headless", "--no-remote", "--profile", profile, url], {
        env: { HOME: player.directory },
      });
      return await page.waitForJson<PageReport & Record<string, unknown>>(({ event }) => event === "report", 60_000);
    };
    const reports = [
      await open({ name: "near-invite", invite: near }),
      await open({ name: "far-address", url: `http://${rented.address}:7777` }),
      await open({ name: "far-address-websocket", url: `http://${rented.address}:7777`, webrtc: false }),
    ];
    if (process.env["SALLYPORT_TIMES"] !== undefined) for (const report of reports) console.log(report);
    const [invited, far, webSocket] = reports;
    expect(invited).toMatchObject({ kind: expect.stringMatching(/^(direct|punched)$/), reason: "WebRTC gets through" });
    expect(far).toMatchObject({ kind: expect.stringMatching(/^(direct|punched)$/), reason: "WebRTC gets through" });
    expect(webSocket).toMatchObject({ kind: "websocket" });
  });
});
