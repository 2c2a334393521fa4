/** The pages as people see them, in a real browser: the lobby's with its list and its arena, the host's with its ladder. */

import { mkdir } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort, RunningProgram } from "./lobby-programs.ts";
import { hasChromium, openChromium } from "./page-chromium.ts";

/** Where to leave pictures for people; nowhere by default. */
const PICTURES = process.env["SALLYPORT_PICTURES"];

const SCREENS: Record<string, BrowserContextOptions> = {
  desktop: { viewport: { width: 1280, height: 860 }, colorScheme: "dark" },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, colorScheme: "light" },
};

interface Watched {
  page: Page;
  /** Errors of scripts, blocked loads, failed requests. */
  complaints: string[];
  /** Origins that were asked for anything. */
  origins: Set<string>;
}

describe.runIf(hasChromium)("pages", () => {
  let browser: Browser;
  let lobbyPort: number;
  let gamePort: number;
  let start: RunningProgram;
  let invite: string;
  /** The link to the host's own page. */
  let own: string;

  beforeAll(async () => {
    [lobbyPort, gamePort] = [await freePort(), await freePort()];
    browser = await openChromium();
    start = new RunningProgram("start.ts", [], { PORT: String(lobbyPort), GAME_PORT: String(gamePort) });
    own = /http:\S+/.exec(await start.line(/Your page/))?.[0] ?? "";
    invite = /http:\S+#\S+/.exec(await start.line(/Invite /))?.[0] ?? "";
  });
  afterAll(async () => {
    await browser?.close();
    await start?.[Symbol.asyncDispose]();
  });

  async function open(screen: string, url: string): Promise<Watched> {
    const context = await browser.newContext(SCREENS[screen]);
    const page = await context.newPage();
    const complaints: string[] = [];
    const origins = new Set<string>();
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("request", (request) => {
      if (!request.url().startsWith("data:")) origins.add(new URL(request.url()).hostname);
    });
    await page.goto(url);
    return { page, complaints, origins };
  }

  async function picture(page: Page, name: string): Promise<void> {
    if (PICTURES === undefined) return;
    await mkdir(PICTURES, { recursive: true });
    await page.screenshot({ path: `${PICTURES}/${name}.png` });
  }

  /** Nothing sticks out sideways, and every control has a name. */
  async function expectInOrder(page: Page): Promise<void> {
    const wider = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
    expect(wider).toBe(0);
    const nameless = await page.evaluate(`[...document.querySelectorAll("button, input, select, a[href], canvas")]
      .filter((control) => control.checkVisibility())
      .filter((control) => !(control.ariaLabel || control.textContent.trim() || control.labels?.length))
      .map((control) => control.outerHTML)`);
    expect(nameless).toEqual([]);
  }

  test.each(Object.keys(SCREENS))("the lobby on a %s: listed, joined, played, passed on, left", async (screen) => {
    const { page, complaints, origins } = await open(screen, `http://localhost:${lobbyPort}/`);
    const game = page.locator("[data-game]");
    await game.locator(".badge", { hasText: "Local network" }).waitFor();
    expect(await game.count()).toBe(1);
    expect(await game.locator(".players .text").textContent()).toMatch(/^\d of 32 players$/);
    await expectInOrder(page);
    await picture(page, `${screen}-list`);

    await page.evaluate(`location.hash = ${JSON.stringify(new URL(invite).hash)}`);
    await page.getByLabel("Your name").fill("Ada");
    await page.getByRole("button", { name: "Join" }).click();
    await page.locator("#scores li", { hasText: "Ada (you)" }).waitFor();
    await page.locator("#ping", { hasText: /\d+ ms, WebRTC/ }).waitFor();
    await start.line(/→ in +Ada/);

    // Walks where the arrow points, at once and as the host says.
    const field = page.locator("#field");
    const place = async (): Promise<number[]> => ((await field.getAttribute("data-at")) ?? "").split(" ").map(Number);
    await field.focus();
    const [before = 0] = await place();
    const key = before > 480 ? "ArrowLeft" : "ArrowRight";
    await page.keyboard.down(key);
    await expect.poll(async () => Math.abs(((await place())[0] ?? 0) - before)).toBeGreaterThan(100);
    await page.keyboard.up(key);
    await page.keyboard.press("Space");
    await picture(page, `${screen}-arena`);

    // The line is worse at will, and the graph shows it.
    const network = page.getByRole("button", { name: "Network" });
    await network.click();
    expect(await network.getAttribute("aria-expanded")).toBe("true");
    const figure = (name: string) => page.locator(`[data-figure=${name}]`);
    await figure("path")
      .filter({ hasText: /^WebRTC, direct to / })
      .waitFor();
    await page.getByLabel("A line that is worse").selectOption("other continent");
    await figure("answer")
      .filter({ hasText: /^[23]\d\d ms$/ })
      .waitFor();
    await expect.poll(async () => Number(await figure("waiting").textContent())).toBeGreaterThan(10);
    await page.getByLabel("Delay, each way").fill("0");
    expect(await page.getByLabel("A line that is worse").inputValue()).toBe("own");
    await page.getByLabel("A line that is worse").selectOption("as it is");
    await figure("answer")
      .filter({ hasText: /^\d\d? ms$/ })
      .waitFor();
    await expectInOrder(page);
    await picture(page, `${screen}-network`);
    await network.click();

    const share = page.getByRole("button", { name: "Invite" });
    await share.click();
    expect(await share.getAttribute("aria-expanded")).toBe("true");
    // Opened as localhost, the page passes on the name that this network has for the lobby, where there is a network.
    const passedOn = new URL((await page.locator("#passing-on .link").getAttribute("href")) ?? "");
    expect(passedOn.hash).toBe(new URL(invite).hash);
    const said = (await (await fetch(new URL("/connectivity", invite))).json()) as { network?: string };
    expect(passedOn.origin).toBe(new URL(said.network ?? invite).origin);
    expect(await page.locator("#passing-on .code").textContent()).toMatch(/^\w{4}-\w{4}$/);
    expect(await page.locator("#passing-on .qr svg path").getAttribute("d")).toMatch(/^M0 0h1v1h-1z/);
    await expectInOrder(page);
    await picture(page, `${screen}-share`);

    await page.getByRole("button", { name: "Leave" }).click();
    await page.locator("#status", { hasText: "You have left." }).waitFor();
    expect(await page.locator("#arena").isVisible()).toBe(false);
    expect(complaints).toEqual([]);
    // Nobody else's server is ever asked: the lobby, and the host that was joined.
    for (const origin of origins) expect(["localhost", "127.0.0.1", ...ownAddresses()]).toContain(origin);
    await page.context().close();
  });

  test("Colyseus' own debug panel, where the page's address asks for it", async () => {
    const { page, complaints } = await open("desktop", `http://localhost:${lobbyPort}/?debug${new URL(invite).hash}`);
    await page.getByRole("button", { name: "Join" }).click();
    await page.locator("#scores li", { hasText: "(you)" }).waitFor();
    // It shows the room, and what predicts it.
    await expect
      .poll(() =>
        page.evaluate(
          "[...document.querySelectorAll('*')].some((each) => /Predict|arena/i.test(each.shadowRoot?.textContent ?? ''))",
        ),
      )
      .toBe(true);
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  test("mistakes: a mistyped invite, one of a host that has gone, and nonsense", async () => {
    const { page } = await open("desktop", `http://localhost:${lobbyPort}/`);
    const join = async (text: string): Promise<string | null> => {
      await page.locator("#invite").fill(text);
      await page.getByRole("button", { name: "Join" }).click();
      await page.locator("#status.bad").waitFor();
      return await page.locator("#status").textContent();
    };
    expect(await join("K7Q2-9FX0")).toMatch(/An invite looks like K7Q2-9FXM, without 0, O, 1 and I/);
    expect(await join("<img src=x>")).toMatch(/An invite looks like/);
    await page.locator("#status").evaluate((element) => element.classList.remove("bad"));
    expect(await join("2222-2222")).toMatch(/No host has this invite\. Was it mistyped, or has the host gone\?/);
    await page.context().close();
  });

  test.each(Object.keys(SCREENS))("the host's own page on a %s: verdict, ladder, invite, players", async (screen) => {
    const { page, complaints, origins } = await open(screen, own);
    expect(page.url()).toBe(`http://localhost:${gamePort}/host`);
    await page.locator("#verdict[data-verdict='lan-only']").waitFor();
    expect(await page.locator("#verdict-word").textContent()).toBe("Only this network can join");
    expect(await page.locator("#summary").textContent()).toMatch(/^Only players on this network can join/);
    const rungs = page.locator("#ladder > li");
    expect(await rungs.evaluateAll((rows) => rows.map((row) => row.getAttribute("data-rung")))).toEqual([
      "interfaces",
      "pcp",
      "nat-pmp",
      "upnp",
      "stun",
    ]);
    expect(await page.locator("[data-rung=upnp] .reason").textContent()).toBe("Switched off: no router is asked.");
    expect(await page.locator("[data-rung=interfaces]").getAttribute("data-outcome")).toBe("ok");
    expect(await page.locator("#passing-on .link").getAttribute("href")).toBe(invite);
    expect(await page.locator("#local").isVisible()).toBe(true);
    await expectInOrder(page);

    await using _bot = new RunningProgram("join.ts", [invite, "--name", `Bot ${screen}`, "--seconds", "30"]);
    await page.locator("#players li", { hasText: `Bot ${screen} came in` }).waitFor();
    await picture(page, `${screen}-host`);
    expect(complaints).toEqual([]);
    expect([...origins]).toEqual(["localhost"]);
    await page.context().close();
  });

  test("a red rung says what to do; a rung that is not needed says nothing", async () => {
    const { page } = await open("desktop", own);
    const remedies = (steps: unknown, verdict: string): Promise<string[]> =>
      page.evaluate(`import("/host/ladder.js").then(({ showLadder }) => {
        const list = document.createElement("ol");
        showLadder(list, ${JSON.stringify({ steps, verdict })});
        return [...list.children].map((row) => row.querySelector(".remedy").textContent);
      })`);
    const upnp = { step: "upnp", outcome: "refused", ms: 20, reason: "Not allowed (718)." };
    const pcp = { step: "pcp", outcome: "ok", ms: 9, reason: "Mapped." };
    expect(await remedies([upnp], "lan-only")).toEqual([expect.stringMatching(/^What to do: Switch UPnP on/)]);
    expect(await remedies([upnp, pcp], "mapped")).toEqual(["", ""]);
    await page.context().close();
  });
});

function ownAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return all.map(({ address, family }) => (family === "IPv6" ? `[${address}]` : address));
}
