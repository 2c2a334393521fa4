/** A player who is introduced to a host by a lobby, and asks for more than to play: all three as programs of their own. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { introduce } from "../../sdk/src/rendezvous/guest/introduce.ts";
import { type Introduction } from "../../sdk/src/rendezvous/sealed/introduction.ts";
import { parseInviteTunnelMessage } from "../../sdk/src/rendezvous/wire/invite-tunnel.ts";
import type { ResponseMessage } from "../../sdk/src/rendezvous/wire/invite-tunnel-http.ts";
import { hostilePaths } from "../hostile-paths.ts";
import { freePort, RunningProgram } from "./lobby-programs.ts";

let lobby: RunningProgram;
let host: RunningProgram;
let hostUrl: string;
let invite: string;
/** The link to the host's own page. */
let own: string;
/** Who is never to be asked anything. */
const asked: string[] = [];
const other = createServer((request, response) => {
  asked.push(request.url ?? "");
  response.end("the other server");
});
const stack = new AsyncDisposableStack();

beforeAll(async () => {
  const [PORT, GAME_PORT] = [await freePort(), await freePort()];
  const environment = { PORT: String(PORT), GAME_PORT: String(GAME_PORT) };
  lobby = stack.use(new RunningProgram("lobby.ts", [], environment));
  await lobby.line(/Lobby at/);
  hostUrl = `http://127.0.0.1:${GAME_PORT}`;
  host = stack.use(new RunningProgram("host.ts", ["--json", "--lobby", `http://127.0.0.1:${PORT}`], environment));
  own = String((await host.event("listening"))["page"]);
  invite = String((await host.event("invite"))["url"]).replace("localhost", "127.0.0.1");
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
});

afterAll(async () => {
  other.close().closeAllConnections();
  await stack.disposeAsync();
});

/** An introduced player who says what he likes; the host takes 64 requests of him. */
class Player implements Disposable {
  readonly #introduction: Introduction;
  readonly #waiting = new Map<number, (answer: ResponseMessage | string) => void>();
  #ids = 0;

  private constructor(introduction: Introduction) {
    this.#introduction = introduction;
    introduction.onMessage((bytes) => {
      const message = parseInviteTunnelMessage(bytes);
      if (message?.type === "response") this.#waiting.get(message.id)?.(message);
    });
    introduction.onClose(({ reason }) => {
      for (const resolve of this.#waiting.values()) resolve(reason);
    });
  }

  static async enter(): Promise<Player> {
    return new Player(await introduce(invite));
  }

  /** The host's answer, or why it has ended the introduction. */
  ask(request: object): Promise<ResponseMessage | string> {
    const id = ++this.#ids;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      const message = { type: "request", id, method: "GET", headers: {}, body: "", ...request };
      expect(this.#introduction.send(Buffer.from(JSON.stringify(message)))).toBe(true);
    });
  }

  [Symbol.dispose](): void {
    this.#introduction.close();
  }
}

const json = { "content-type": "application/json" };
const seat = { method: "POST", path: "/matchmake/joinOrCreate/arena", headers: json, body: "{}" };

describe("an introduced player", () => {
  test("takes a seat, and reaches neither the host's own page nor another server", async () => {
    // The page is there, for whoever has its key.
    const { searchParams } = new URL(own);
    const headers = { authorization: `Bearer ${searchParams.get("key")}` };
    const page = await fetch(`${hostUrl}/host`, { headers });
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining("<html")]);

    const { port } = other.address() as AddressInfo;
    const authority = `127.0.0.1:${port}`;
    const isRead = (path: string): boolean =>
      parseInviteTunnelMessage(
        Buffer.from(JSON.stringify({ type: "request", id: 1, method: "GET", path, headers: {}, body: "" })),
      ) !== null;
    const paths = hostilePaths(authority).filter(isRead);
    expect(paths.length).toBeGreaterThan(50);
    while (paths.length > 0) {
      using player = await Player.enter();
      for (const path of paths.splice(0, 50)) {
        expect([path, await player.ask({ path })]).toEqual([path, expect.objectContaining({ status: 404 })]);
        expect(asked).toEqual([]);
      }
      expect(await player.ask(seat)).toMatchObject({ status: 200, body: expect.stringContaining("sessionId") });
    }
  });

  test.each([
    ["a line's end in the path", { path: "/matchmake/\r\nHost: evil\r\n\r\nGET /host HTTP/1.1" }],
    ["a line's end in a header", { path: "/matchmake/", headers: { accept: "x\r\n\r\nGET /host HTTP/1.1" } }],
    ["an absolute URL", { path: "http://127.0.0.1/host" }],
    ["a huge path", { path: `/matchmake/${"x".repeat(8000)}` }],
    ["another method", { method: "DELETE", path: "/matchmake/arena" }],
  ])("is shown out who says %s, and others play on", async (_what, request) => {
    using player = await Player.enter();
    expect(await player.ask(request)).toBe("That is no message of a player.");
    using next = await Player.enter();
    expect(await next.ask(seat)).toMatchObject({ status: 200 });
  });

  test("who guesses seats is slowed down, and nobody else is", async () => {
    const guess = { method: "POST", path: "/sallyport/connect", headers: json, body: '{"roomId":"a","sessionId":"b"}' };
    using guesser = await Player.enter();
    const statuses = new Set<unknown>();
    for (let i = 0; i < 40; i++) statuses.add(((await guesser.ask(guess)) as ResponseMessage).status);
    expect(statuses).toEqual(new Set([404, 429]));
    using honest = await Player.enter();
    expect(await honest.ask(guess)).toMatchObject({ status: 404 });
    expect((await fetch(`${hostUrl}/sallyport/connect`, { method: "POST", body: guess.body })).status).toBe(404);
  });
});
