/** A host's HTTP server behind an introduction, and a player who wants more of it than matchmaking. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import * as fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { serveInviteTunnel } from "../../../../../sdk/src/colyseus/server/entrances/invite-tunnel.ts";
import { newIceCredentials } from "../../../../../sdk/src/ice/credentials.ts";
import { IceMux } from "../../../../../sdk/src/ice/mux.ts";
import { UDPSocket } from "../../../../../sdk/src/net/udp-socket.ts";
import { UnansweredBudget } from "../../../../../sdk/src/net/unanswered-budget.ts";
import type { Introduction } from "../../../../../sdk/src/rendezvous/sealed/introduction.ts";
import { parseInviteTunnelMessage } from "../../../../../sdk/src/rendezvous/wire/invite-tunnel.ts";
import type { ResponseMessage } from "../../../../../sdk/src/rendezvous/wire/invite-tunnel-http.ts";
import type { SessionServer } from "../../../../../sdk/src/session/types.ts";
import { makeCertificate } from "../../../../certificate.ts";
import { anyPath, hostilePaths } from "../../../../hostile-paths.ts";

const runs = Number(process.env.SALLYPORT_FUZZ_RUNS ?? 500);

interface Seen {
  method: string;
  url: string;
  headers: IncomingMessage["headers"];
  body: string;
}

/** Answers everything, and remembers what it was asked. */
async function recorder(): Promise<{ server: Server; authority: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      seen.push({ method, url, headers, body });
      response.end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, authority: `127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

let host: Awaited<ReturnType<typeof recorder>>;
let other: Awaited<ReturnType<typeof recorder>>;
beforeAll(async () => {
  host = await recorder();
  other = await recorder();
});
beforeEach(() => {
  host.seen.length = other.seen.length = 0;
});
afterAll(() => {
  for (const { server } of [host, other]) server.close().closeAllConnections();
});

/** The player's end of an introduction to the host. */
class Player {
  /** The reason, once the host has closed the introduction. */
  closed: string | undefined;
  #toHost: (message: Uint8Array) => void = () => undefined;
  #heard: (message: ResponseMessage | undefined) => void = () => undefined;

  constructor(server: Server = host.server) {
    const introduction = {
      remoteKey: new Uint8Array(32).fill(7),
      send: (bytes: Uint8Array) => {
        const message = parseInviteTunnelMessage(bytes);
        expect(message?.type).toBe("response");
        this.#heard(message as ResponseMessage);
        return true;
      },
      close: (reason: string) => {
        this.closed = reason;
        this.#heard(undefined);
      },
      onMessage: (listener: (message: Uint8Array) => void) => {
        this.#toHost = listener;
      },
    } as unknown as Introduction;
    serveInviteTunnel(introduction, {
      server,
      sessions: {} as SessionServer,
      ice: { budget: new UnansweredBudget() } as IceMux,
      nat: () => undefined,
      isLocal: true,
    });
  }

  /** What the host answers; undefined if it closes the introduction instead. */
  ask(request: object): Promise<ResponseMessage | undefined> {
    return new Promise((resolve) => {
      this.#heard = resolve;
      const message = { type: "request", id: 1, method: "GET", headers: {}, body: "", ...request };
      this.#toHost(Buffer.from(JSON.stringify(message)));
    });
  }
}

const OPEN: RegExp = /^\/(matchmake|auth|sallyport)\//i;

/** As the most obliging server would read it. */
function asRead(url: string): string {
  const [path = ""] = url.split(/[?#]/);
  let decoded = path;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    // as it stands
  }
  return new URL(decoded.replaceAll("\\", "/").replace(/^\/+/, "/"), "http://host").pathname;
}

describe("a player's request through an introduction", () => {
  test.each([
    ["POST", "/matchmake/joinOrCreate/arena"],
    ["GET", "/matchmake/arena?x=1"],
    ["POST", "/sallyport/connect"],
    ["GET", "/auth/userdata"],
  ])("%s %s is answered", async (method, path) => {
    const headers = { "content-type": "application/json", authorization: "Bearer x", accept: "*/*" };
    const answer = await new Player().ask({ method, path, headers, body: "{}" });
    expect(answer).toMatchObject({ status: 200, body: "{}" });
    expect(host.seen).toEqual([
      { method, url: path, body: method === "GET" ? "" : "{}", headers: expect.objectContaining(headers) },
    ]);
  });

  test("brings only those headers along that say what it is", async () => {
    const headers = {
      host: other.authority,
      cookie: "a=b",
      origin: "http://evil.example",
      "x-real-ip": "203.0.113.1",
      "x-forwarded-for": "203.0.113.1",
      "x-forwarded-host": other.authority,
      "x-sallyport-introduced": "me",
      "transfer-encoding": "chunked",
      "content-length": "1",
      connection: "upgrade",
      upgrade: "websocket",
      expect: "100-continue",
    };
    expect((await new Player().ask({ method: "POST", path: "/matchmake/x", headers, body: "four" }))?.status).toBe(200);
    const got = host.seen[0]?.headers ?? {};
    expect(host.seen[0]?.body).toBe("four");
    expect(got).toMatchObject({ host: host.authority, "content-length": "4" });
    expect(got["x-sallyport-introduced"]).toMatch(/^[0-9a-f]{64} (07){32}$/);
    expect(Object.keys(got).sort()).toEqual(["connection", "content-length", "host", "x-sallyport-introduced"]);
    expect(got.connection).toBe("keep-alive");
  });

  test("reaches neither another server nor another page of the host, and is refused", async () => {
    for (const path of hostilePaths(other.authority)) {
      for (const method of ["GET", "POST"]) {
        const player = new Player();
        const answer = await player.ask({ method, path });
        expect([path, answer?.status ?? 0, player.closed === undefined]).toEqual([
          path,
          answer ? 404 : 0,
          answer !== undefined,
        ]);
      }
    }
    expect([host.seen, other.seen]).toEqual([[], []]);
  });

  test("stays behind the three doors, whatever its path", async () => {
    await fc.assert(
      fc.asyncProperty(anyPath(other.authority), fc.constantFrom("GET", "POST"), async (path, method) => {
        host.seen.length = 0;
        const player = new Player();
        const answer = await player.ask({ method, path });
        expect(answer !== undefined || player.closed !== undefined).toBe(true);
        for (const { url } of host.seen) expect([url, asRead(url)]).toEqual([url, expect.stringMatching(OPEN)]);
        expect(host.seen.length).toBe(answer?.status === 200 ? 1 : 0);
      }),
      { numRuns: runs },
    );
    expect(other.seen).toEqual([]);
  });

  test.each(["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "GET /host HTTP/1.1\r\n\r\nGET"])(
    "of another method ends the introduction: %j",
    async (method) => {
      const player = new Player();
      expect(await player.ask({ method, path: "/matchmake/arena" })).toBeUndefined();
      expect(player.closed).toMatch(/no message/);
      expect(host.seen).toEqual([]);
    },
  );

  test("is one of so many", async () => {
    const player = new Player();
    for (let i = 0; i < 64; i++) await player.ask({ path: "/matchmake/arena" });
    void player.ask({ path: "/matchmake/arena" });
    await new Player().ask({ path: "/matchmake/last" });
    expect(host.seen).toHaveLength(65);
    expect(host.seen.at(-1)?.url).toBe("/matchmake/last");
  });
});

test("a player has two paths that lead nowhere yet, the newest, and eight in all", async () => {
  await using stack = new AsyncDisposableStack();
  const ice = stack.use(new IceMux(stack.use(UDPSocket.open({ address: "127.0.0.1" }))));
  let say: (bytes: Uint8Array) => void = () => undefined;
  const answered: number[] = [];
  const ended: (() => void)[] = [];
  const introduction = {
    send: (bytes: Uint8Array) => {
      const message = parseInviteTunnelMessage(bytes);
      if (message?.type === "path") answered.push(message.id);
      return true;
    },
    onMessage: (listener: typeof say) => (say = listener),
    onClose: (listener: () => void) => ended.push(listener),
  } as unknown as Introduction;
  const sessions = {} as SessionServer;
  serveInviteTunnel(introduction, { server: host.server, sessions, ice, nat: () => undefined, isLocal: false });
  const sizes: number[] = [];
  for (let id = 1; id <= 12; id++) {
    say(Buffer.from(JSON.stringify({ type: "path", id, ice: newIceCredentials(), candidates: [] })));
    sizes.push(ice.size);
  }
  for (const end of ended) end();
  expect(sizes).toEqual([1, ...Array<number>(11).fill(2)]);
  expect(answered).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test.each(["127.0.0.1", "0.0.0.0", "::1", "::"])(
  "a host's own https server on %s is asked over TLS, whatever name its certificate has",
  async (address) => {
    const secure = createSecureServer(makeCertificate({ names: "DNS:game.example" }), (request, response) =>
      response.end(JSON.stringify({ url: request.url })),
    );
    await new Promise<void>((resolve) => secure.listen(0, address, resolve));
    try {
      const player = new Player(secure);
      const response = await player.ask({
        type: "request",
        id: 1,
        method: "POST",
        path: "/matchmake/join/arena",
        headers: {},
        body: "{}",
      });
      expect(response).toMatchObject({ status: 200, body: '{"url":"/matchmake/join/arena"}' });
    } finally {
      secure.close().closeAllConnections();
    }
  },
);
