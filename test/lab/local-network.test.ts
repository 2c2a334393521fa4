// Browsers keep pages from the internet out of the player's own network (Local Network Access), and secure pages from plain servers:
// what a real Chromium lets through, by which way the client gets in, and how soon.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasChromium } from "../interop/page-chromium.ts";
import { type Gateway, type Host, Lab } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";
import type { PageCase, PageReport } from "./modules/page-player.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/lobby/src/${name}.ts`, import.meta.url));
const MODULES = new URL("./modules/", import.meta.url);

/** A join over the local network; a loaded machine takes a while to start what the first one needs. */
const SOON_MS = 5000;
/** Over what works: a second, half a one on a long path, and what a loaded machine adds. */
const FALLBACK_MS = 1500 + 2000;

describeLab.runIf(hasChromium)("a page in Chromium", () => {
  let lab: Lab;
  let reports: Map<string, PageReport>;

  beforeAll(async () => {
    lab = await Lab.create();
    const house: Gateway = await lab.gateway({ nat: "port-restricted" });
    const [player, home, meeting, rented, mute] = await Promise.all([
      house.host(),
      house.host(),
      lab.host(),
      lab.host(),
      lab.host(),
    ]);
    const http = `http://${meeting.address}:2567/`;
    const https = `https://${meeting.address}/`;
    const [key, cert] = ["key.pem", "cert.pem"].map((name) => join(meeting.directory, name));
    const certificate = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=${meeting.address} -addext subjectAltName=IP:${meeting.address} -keyout ${key} -out ${cert}`;
    expect((await meeting.exec(["openssl", ...certificate.split(" ")])).code).toBe(0);
    const front = meeting.spawnModule(new URL("tls-front.ts", MODULES), { port: 443, to: 2567, key, cert });
    const lobby = meeting.spawn([process.execPath, program("lobby")], { cwd: ROOT, env: { PUBLIC_URL: https } });
    await Promise.all([lobby.waitForPort("tcp", 2567), front.waitForPort("tcp", 443)]);
    const host = async (machine: Host): Promise<string> => {
      const game = machine.spawn([process.execPath, program("host"), "--lobby", http, "--json"], {
        cwd: ROOT,
        env: { SALLYPORT_VIA: "none" },
      });
      const { url } = await game.waitForJson<{ event: string; url: string }>(({ event }) => event === "invite", 20_000);
      return url;
    };
    const [near, far, silent] = await Promise.all([host(home), host(rented), host(mute)]);
    // To the third nothing goes over UDP.
    const drop = `add table ip t; add chain ip t o { type filter hook output priority 0; }; add rule ip t o ip daddr ${mute.address} meta l4proto udp drop`;
    expect((await player.exec(["nft", drop])).code).toBe(0);
    const overHTTP = (invite: string): string => invite.replace(https, http);
    const gameAt = ({ address }: Host): string => `http://${address}:7777`;
    const [nearURL, farURL, silentURL] = [gameAt(home), gameAt(rented), gameAt(mute)];
    const cases: PageCase[] = [
      { name: "http, own network, by invite", page: http, invite: overHTTP(near) },
      { name: "http, own network, by address", page: http, url: nearURL },
      { name: "http, own network, by invite, no WebRTC", page: http, invite: overHTTP(near), webrtc: false },
      { name: "https, own network, by invite", page: https, invite: near },
      { name: "https, own network, by address", page: https, url: nearURL },
      { name: "https, own network, by address, granted", page: https, url: nearURL, granted: true },
      {
        name: "https, own network, by invite, no WebRTC, granted",
        page: https,
        invite: near,
        webrtc: false,
        granted: true,
      },
      { name: "http, internet, by address", page: http, url: farURL },
      { name: "http, internet, by address, no WebRTC", page: http, url: farURL, webrtc: false },
      { name: "http, internet, by address, UDP blocked", page: http, url: silentURL },
      { name: "http, internet, by invite, UDP blocked", page: http, invite: overHTTP(silent) },
      { name: "https, internet, by invite", page: https, invite: far },
      { name: "https, internet, by address", page: https, url: farURL },
      { name: "own page, own network, by address", page: "own", url: nearURL },
      { name: "own page, own network, by address, no WebRTC", page: "own", url: nearURL, webrtc: false },
    ];
    const said = await player.run<PageReport[]>(
      new URL("page-player.ts", MODULES),
      { address: player.address, cases },
      { timeoutMs: 110_000 },
    );
    reports = new Map(said.map((report) => [report.name, report]));
    if (process.env["SALLYPORT_TIMES"] !== undefined) {
      for (const { name, kind, ms, reason } of said)
        console.log(`${name}: ${kind ?? "no way in"}, ${ms} ms, ${reason}`);
    }
  }, 120_000);
  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
  });

  const report = (name: string): PageReport => {
    const found = reports.get(name);
    if (found === undefined) throw new Error(`There is no case ${name}`);
    return found;
  };

  describe("gets in by WebRTC", () => {
    test.each([
      "http, own network, by invite",
      "https, own network, by invite",
      "https, internet, by invite",
      "http, internet, by address",
      "own page, own network, by address",
    ])("%s", (name) => {
      const { kind, reason, ms } = report(name);
      expect([kind, reason]).toEqual([expect.stringMatching(/^(direct|punched)$/), "WebRTC gets through"]);
      expect(ms).toBeLessThan(SOON_MS);
    });
  });

  describe("gets in by WebSocket", () => {
    test.each([
      "https, own network, by invite, no WebRTC, granted",
      "http, internet, by address, no WebRTC",
      "own page, own network, by address, no WebRTC",
    ])("%s", (name) => {
      const { kind, reason, ms } = report(name);
      expect([kind, reason]).toEqual(["websocket", "WebRTC is switched off"]);
      expect(ms).toBeLessThan(SOON_MS);
    });

    test("a secure page that may, by address: fetch, and WebRTC after it", () => {
      const { kind, ms } = report("https, own network, by address, granted");
      expect(kind).toBe("direct");
      expect(ms).toBeLessThan(SOON_MS);
    });

    test.each([
      ["address", "http, internet, by address, UDP blocked"],
      ["invite", "http, internet, by invite, UDP blocked"],
    ])("where UDP is blocked, by %s, within a second of what works", (_, name) => {
      const { kind, reason, ms } = report(name);
      expect([kind, reason]).toEqual([
        "websocket",
        expect.stringMatching(/^WebRTC: no open channel over UDP within \d+ ms$/),
      ]);
      expect(ms).toBeLessThan(report("http, internet, by address, no WebRTC").ms + FALLBACK_MS);
    });
  });

  describe("is told what stood in the way", () => {
    test.each([
      [
        "http, own network, by address",
        /The game is on your own network \(192\.168\.\d+\.\d+:7777\).* Open http:\/\/192/,
      ],
      ["http, own network, by invite, no WebRTC", /The host does not answer|The game is on your own network/],
      ["https, own network, by address", /The game is on your own network.* allow "local network"/],
      ["https, internet, by address", /This page is secure \(https\), and browsers keep such a page from 11\./],
    ])("%s", (name, sentence) => {
      const { kind, reason, ms } = report(name);
      expect([kind, reason]).toEqual([undefined, expect.stringMatching(sentence)]);
      expect(ms).toBeLessThan(SOON_MS);
    });
  });
});
