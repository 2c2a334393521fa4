/** Friends in browsers, by an invite of public: the page that any static host serves, and the template's. */
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { certificate } from "../certificate.ts";
import { NostrRelay } from "../relays/nostr-relay.ts";
import { freePort, RunningProgram } from "./lobby-programs.ts";
import { hasChromium, openChromium } from "./page-chromium.ts";

const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
/** Nobody answers there. */
const NO_STUN = "127.0.0.1:9";
const TLS = hasChromium ? certificate() : undefined;

/** What GitHub Pages and others do. */
async function serve(folder: string, tls?: typeof TLS): Promise<{ server: Server; url: string }> {
  const listener: Parameters<typeof createServer>[1] = (request, response) => {
    const path = normalize(new URL(request.url ?? "/", "http://x").pathname);
    const name = path.endsWith("/") ? `${path}index.html` : path;
    readFile(join(folder, name)).then(
      (content) => response.setHeader("content-type", TYPES[extname(name)] ?? "text/plain").end(content),
      () => response.writeHead(404).end(),
    );
  };
  const server = tls ? createSecureServer(tls, listener) : createServer(listener);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, url: `${tls ? "https" : "http"}://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

describe.runIf(hasChromium)("a page of a static host", () => {
  let browser: Browser;
  let folder: string;
  const relays: NostrRelay[] = [];

  beforeAll(async () => {
    browser = await openChromium();
    folder = await mkdtemp(join(tmpdir(), "sallyport-page-"));
    const environment = { SALLYPORT_STUN_URLS: NO_STUN };
    await using build = new RunningProgram("build-page.ts", ["--out", folder], environment);
    expect(await build.exited, build.output).toBe(0);
    relays.push(await NostrRelay.start({ delayMs: 40 }), await NostrRelay.start({ delayMs: 80 }));
    relays.push(await NostrRelay.start({ delayMs: 40, ...(TLS && { tls: TLS }) }));
  });
  afterAll(async () => {
    await browser?.close();
    await Promise.all(relays.map((relay) => relay[Symbol.asyncDispose]()));
    await rm(folder, { recursive: true, force: true });
  });

  test.each([{ scheme: "http" }, { scheme: "https" }])(
    "by $scheme: the link opens it, and leads into the game by WebRTC",
    async ({ scheme }) => {
      const { server, url } = await serve(folder, scheme === "https" ? TLS : undefined);
      const port = await freePort();
      await using host = new RunningProgram("host.ts", ["--lobby", "public", "--json", "--port", String(port)], {
        SALLYPORT_RELAYS: relays.map((relay) => relay.url).join(","),
        SALLYPORT_STUN_URLS: NO_STUN,
        PAGE_URL: url,
        // Of the relay's certificate.
        NODE_TLS_REJECT_UNAUTHORIZED: "0",
      });
      const invite = await host.event("invite");
      expect(invite["url"]).toMatch(new RegExp(`^${url}#[0-9A-Z-]{14}\\.`));
      const context = await browser.newContext({ ignoreHTTPSErrors: true });
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on("pageerror", (error) => complaints.push(error.message));
      await page.goto(String(invite["url"]));
      await page.locator("#name").fill("Ada");
      const began = performance.now();
      await page.getByRole("button", { name: "Join" }).click();
      await page.locator("#arena").waitFor({ state: "visible" });
      console.info(`in the game ${Math.round(performance.now() - began)} ms after the click, from ${scheme}`);
      await host.event("joined", ({ player }) => player === "Ada");
      expect(complaints).toEqual([]);
      // What the invite brought along was loaded for it, and is small.
      const loaded = await page.evaluate<[string, number][]>(
        "performance.getEntriesByType('resource').map(({ name, decodedBodySize }) => [name, decodedBodySize])",
      );
      const relaying = loaded
        .filter(([name]) => /by-relays|scrypt/.test(name))
        .reduce((sum, [, size]) => sum + size, 0);
      expect(relaying).toBeGreaterThan(10_000);
      expect(relaying).toBeLessThan(60_000);
      await context.close();
      server.close();
    },
  );

  test("takes a bare code, and says both when nobody answers", async () => {
    const { server, url } = await serve(folder);
    await using host = new RunningProgram(
      "host.ts",
      ["--lobby", "public", "--json", "--port", String(await freePort())],
      { SALLYPORT_RELAYS: relays[0]?.url ?? "", SALLYPORT_STUN_URLS: NO_STUN },
    );
    const { code } = (await host.event("invite")) as { code?: string };
    const page = await browser.newPage();
    // The page was built for the package's relays: this one's are told to it.
    await page.route("**/settings.js", (route) =>
      route.fulfill({
        contentType: "text/javascript",
        body: `export const settings = ${JSON.stringify({ relays: [relays[0]?.url], stunServers: [`stun:${NO_STUN}`] })};`,
      }),
    );
    await page.goto(url);
    await page.locator("#invite").fill(String(code).toLowerCase());
    await page.getByRole("button", { name: "Join" }).click();
    await page.locator("#arena").waitFor({ state: "visible" });
    await page.getByRole("button", { name: "Leave" }).click();
    const wrong = `${String(code).startsWith("2") ? "3" : "2"}${String(code).slice(1)}`;
    await page.locator("#invite").fill(wrong);
    await page.getByRole("button", { name: "Join" }).click();
    await page.getByText(/letter of it is wrong, or its host is off/).waitFor();
    server.close();
  });
});
