/** The host's own page, and who is not to read it: pages of other origins in the same browser, and programs without its key. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort, RunningProgram } from "./lobby-programs.ts";
import { hasChromium, openChromium } from "./page-chromium.ts";

const stack = new AsyncDisposableStack();
let gamePort: number;
let host: RunningProgram;
/** The link that the host prints. */
let link: string;
let key: string;
let invite: string;

beforeAll(async () => {
  const lobbyPort = await freePort();
  const lobby = stack.use(new RunningProgram("lobby.ts", [], { PORT: String(lobbyPort) }));
  await lobby.line(/Lobby at/);
  gamePort = await freePort();
  host = stack.use(hostOn(gamePort, `http://127.0.0.1:${lobbyPort}`));
  [link, invite] = await linksOf(host);
  key = new URL(link).searchParams.get("key") ?? "";
});
afterAll(async () => await stack.disposeAsync());

const hostOn = (port: number, lobby: string): RunningProgram =>
  new RunningProgram("host.ts", ["--json", "--lobby", lobby, "--port", String(port)]);

async function linksOf(program: RunningProgram): Promise<[page: string, invite: string]> {
  const [listening, invited] = await Promise.all([program.event("listening"), program.event("invite")]);
  return [String(listening["page"]), String(invited["url"])];
}

interface Answer {
  status: number;
  headers: IncomingMessage["headers"];
  /** What came before the answer ended, or within its first packet: events never end. */
  body: string;
}

/** One request as any program can make it, with whatever headers. */
async function ask(
  path: string,
  headers: Record<string, string> = {},
  { host: address = "127.0.0.1", port = gamePort, method = "GET" } = {},
): Promise<Answer> {
  const sent = request({ host: address, port, path, method, headers: { host: `localhost:${port}`, ...headers } }).end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const [chunk] = (await Promise.race([once(response, "data"), once(response, "end")])) as [Buffer?];
  response.destroy();
  return { status: response.statusCode ?? 0, headers: response.headers, body: chunk?.toString() ?? "" };
}

const cookieOf = ({ headers }: Answer): string => headers["set-cookie"]?.[0]?.split(";", 1)[0] ?? "";

describe("programs", () => {
  test("the link works, sets a cookie that no script and no other site gets, and takes the key out of the URL", async () => {
    const opened = await ask(`/host?key=${key}`);
    expect([opened.status, opened.headers.location]).toEqual([303, "/host"]);
    expect(opened.headers["set-cookie"]).toEqual([
      `sallyport-own-${gamePort}=${key}; Path=/host; HttpOnly; SameSite=Strict`,
    ]);
    expect(opened.headers).toMatchObject({ "referrer-policy": "no-referrer", "cache-control": "no-store" });
    expect(key.length).toBeGreaterThanOrEqual(32);
    for (const credentials of [{ cookie: cookieOf(opened) }, { authorization: `Bearer ${key}` }]) {
      const page = await ask("/host", credentials);
      expect([page.status, page.body]).toEqual([200, expect.stringContaining("<html")]);
      expect((await ask("/host/events", credentials)).body).toContain(invite);
    }
  });

  test.each([
    ["no key", "/host/events", {}],
    ["a wrong key", `/host?key=${"x".repeat(32)}`, {}],
    ["an empty key", "/host?key=", {}],
    ["a wrong cookie", "/host/events", { cookie: "sallyport-own-1=x" }],
    ["a wrong bearer", "/host", { authorization: "Bearer x" }],
    ["another way of writing the path", "/HOST/events", {}],
    ["a path with two slashes", "//host/events", {}],
  ])("%s: nothing", async (_what, path, headers) => {
    const answer = await ask(path, headers);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.body).not.toContain("invite");
    expect(cookieOf(answer)).toBe("");
  });

  test.each([
    ["a foreign origin", { origin: "http://127.0.0.1:9999" }],
    ["another port of this machine", { origin: "http://localhost:9999" }],
    ["an origin that is none", { origin: "null" }],
    ["another site", { "sec-fetch-site": "cross-site" }],
    ["the same site", { "sec-fetch-site": "same-site" }],
    ["a rebound name", { host: "evil.example" }],
    ["a rebound name that looks right", { host: "localhost.evil.example" }],
  ])("with the key, but from %s: nothing, and no leave to read it", async (_what, headers) => {
    for (const path of ["/host", "/host/events", "/host/host.js"]) {
      for (const credentials of [{ cookie: `sallyport-own-${gamePort}=${key}` }, { authorization: `Bearer ${key}` }]) {
        const { status, body, headers: answered } = await ask(path, { ...credentials, ...headers });
        expect([403, 404]).toContain(status);
        expect(body).not.toContain("invite");
        expect(Object.keys(answered).filter((name) => name.startsWith("access-control"))).toEqual([]);
      }
    }
    expect((await ask(`/host?key=${key}`, headers)).headers["set-cookie"]).toBeUndefined();
  });

  test("its own origin is none of these, and even there no other origin may read", async () => {
    const own = { cookie: `sallyport-own-${gamePort}=${key}`, origin: `http://localhost:${gamePort}` };
    const { status, headers } = await ask("/host", { ...own, "sec-fetch-site": "same-origin" });
    expect(status).toBe(200);
    expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
    expect(headers["cross-origin-resource-policy"]).toBe("same-origin");
  });

  test("from the network: nothing, even with the key", async () => {
    const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
    for (const { address, internal, family } of addresses) {
      if (internal || family !== "IPv4") continue;
      const authorization = `Bearer ${key}`;
      expect((await ask("/host", { authorization }, { host: address })).status).toBe(404);
      expect((await ask("/host", { authorization, "x-forwarded-for": "127.0.0.1" }, { host: address })).status).toBe(
        404,
      );
    }
  });

  test("two hosts on one machine have two keys, two cookies and two invites", async () => {
    const port = await freePort();
    await using other = hostOn(port, new URL(invite).origin.replace("localhost", "127.0.0.1"));
    const [otherLink, otherInvite] = await linksOf(other);
    const otherKey = new URL(otherLink).searchParams.get("key") ?? "";
    expect(otherKey).not.toBe(key);
    expect(otherInvite).not.toBe(invite);
    const both = `sallyport-own-${gamePort}=${key}; sallyport-own-${port}=${otherKey}`;
    expect((await ask("/host/events", { cookie: both })).body).toContain(invite);
    expect((await ask("/host/events", { cookie: both }, { port })).body).toContain(otherInvite);
    expect((await ask("/host", { cookie: `sallyport-own-${port}=${key}` }, { port })).status).toBe(403);
  });
});

describe.runIf(hasChromium)("in a browser", () => {
  let browser: Browser;
  let context: BrowserContext;
  /** Somebody else's server on this machine. */
  let foreign: { port: number };
  const cookiesSeen: string[] = [];

  beforeAll(async () => {
    browser = stack.use(asDisposable(await openChromium()));
    context = await browser.newContext();
    const server = createServer((asked, response) => {
      cookiesSeen.push(asked.headers.cookie ?? "");
      response.setHeader("content-type", "text/html").end("<!doctype html><title>Another page</title>");
    }).listen(0);
    await once(server, "listening");
    stack.defer(() => server.close().closeAllConnections());
    foreign = { port: (server.address() as AddressInfo).port };
  });

  async function openOwn(): Promise<Page> {
    const page = await context.newPage();
    await page.goto(link);
    await page.locator("#passing-on .link").waitFor();
    return page;
  }

  test("the page works by its link, without the key in its address, after a reload, and in a second tab", async () => {
    const page = await openOwn();
    const address = `http://localhost:${gamePort}/host`;
    expect(page.url()).toBe(address);
    expect(
      await page.evaluate("document.cookie + document.referrer + performance.getEntries().map((e) => e.name)"),
    ).not.toContain(key);
    for (const again of [() => page.reload(), () => page.goto(address)]) {
      await again();
      await page.locator(`#passing-on .link[href="${invite}"]`).waitFor();
    }
    const second = await context.newPage();
    await second.goto(address);
    await second.locator(`#passing-on .link[href="${invite}"]`).waitFor();
    await Promise.all([page.close(), second.close()]);
  });

  test("without the link it says what to do", async () => {
    const elsewhere = await browser.newContext();
    const page = await elsewhere.newPage();
    const answer = await page.goto(`http://localhost:${gamePort}/host`);
    expect([answer?.status(), await page.textContent("body")]).toEqual([403, expect.stringMatching(/open the link/)]);
    await elsewhere.close();
  });

  test.each(["127.0.0.1", "localhost"])(
    "pages of http://%s on another port read nothing and do nothing",
    async (name) => {
      const own = await openOwn(); // the cookie is there
      const page = await context.newPage();
      await page.goto(`http://${name}:${foreign.port}/`);
      for (const target of [`http://localhost:${gamePort}`, `http://127.0.0.1:${gamePort}`]) {
        const read = await page.evaluate<Record<string, string>>(`(async () => {
        const target = ${JSON.stringify(target)};
        const outcome = {};
        const source = new EventSource(target + "/host/events", { withCredentials: true });
        outcome.events = await new Promise((resolve) => {
          source.onmessage = ({ data }) => resolve(data);
          source.onerror = () => resolve("error");
        });
        source.close();
        for (const [path, init] of [
          ["/host", {}], ["/host/events", {}], ["/host/new-invite", { method: "POST" }],
          ["/host/new-invite", { method: "POST", mode: "no-cors" }], ["/host/host.js", { mode: "no-cors" }],
        ]) {
          outcome[path + JSON.stringify(init)] = await fetch(target + path, { credentials: "include", ...init })
            .then(async (response) => response.type === "opaque" ? "opaque" : response.ok + (await response.text()), String);
        }
        outcome.script = await new Promise((resolve) => {
          const script = document.createElement("script");
          script.src = target + "/host/share.js";
          script.type = "module";
          script.onload = () => resolve("loaded");
          script.onerror = () => resolve("error");
          document.head.append(script);
        });
        const frame = document.createElement("iframe");
        frame.src = target + "/host";
        document.body.append(frame);
        await new Promise((resolve) => frame.addEventListener("load", resolve));
        outcome.frame = (() => { try { return frame.contentDocument?.body.textContent ?? "closed"; } catch { return "closed"; } })();
        return outcome;
      })()`);
        expect(read["events"]).toBe("error");
        expect([read["script"], read["frame"]]).toEqual(["error", "closed"]);
        for (const text of Object.values(read)) expect(text).not.toMatch(/invite|You are hosting|true/);
      }
      // Nobody's click has taken the invite back.
      await own.reload();
      await own.locator(`#passing-on .link[href="${invite}"]`).waitFor();
      // What goes to the page's path goes to no other path of the same name.
      for (const cookies of cookiesSeen) expect(cookies).not.toContain(key);
      await Promise.all([own.close(), page.close()]);
    },
  );

  test("a link from another page does not open it: the cookie stays at home", async () => {
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${foreign.port}/`);
    await page.evaluate(`location.href = "http://localhost:${gamePort}/host"`);
    await page.waitForURL(/\/host$/);
    expect(await page.textContent("body")).not.toContain("You are hosting");
    await page.close();
  });

  test("the button takes the invite back: the old link leads nowhere at once, who plays stays, the new one works", async () => {
    const page = await openOwn();
    await using playing = new RunningProgram("join.ts", [invite, "--json", "--name", "Stays", "--seconds", "6"]);
    await page.locator("#players li", { hasText: "Stays came in" }).waitFor();
    await page.getByRole("button", { name: "New invite" }).click();
    await page.locator("#new-invite-status", { hasText: "This is a new invite." }).waitFor();
    const next = (await page.locator("#passing-on .link").getAttribute("href")) ?? "";
    expect(next).not.toBe(invite);
    expect(next).toMatch(/#\w{4}-\w{4}\.[\w-]{43}$/);

    const code = invite.split("#")[1]?.split(".")[0] ?? "";
    const lobby = new URL(invite).origin;
    for (const old of [[invite], [code, "--lobby", lobby]]) {
      await using late = new RunningProgram("join.ts", [...old, "--json", "--seconds", "1"]);
      expect(await late.exited).toBe(1);
      expect(JSON.parse(late.stdout)).toMatchObject({
        connected: false,
        reason: expect.stringMatching(/No host has this/),
      });
    }
    await using welcome = new RunningProgram("join.ts", [next, "--json", "--seconds", "1"]);
    expect(await welcome.exited).toBe(0);
    expect(await playing.exited).toBe(0);
    expect(JSON.parse(playing.stdout)).toMatchObject({ connected: true, lost: 0, reason: null });
    invite = next;
    await page.close();
  });
});

function asDisposable(browser: Browser): Browser & AsyncDisposable {
  return Object.assign(browser, { [Symbol.asyncDispose]: () => browser.close() });
}
