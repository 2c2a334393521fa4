import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { ToldToWait } from "../../../../sdk/src/colyseus/client/patience.ts";
import { attemptUDP, type UDPAttemptOptions } from "../../../../sdk/src/colyseus/client/udp-attempt.ts";
import type { Session } from "../../../../sdk/src/session/types.ts";

const servers: Server[] = [];
afterEach(() => {
  vi.useRealTimers();
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

async function serve(listener: RequestListener, query = "?sessionId=sess"): Promise<URL> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return new URL(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/pre/process/room${query}`);
}

const answer =
  (status: number, body: unknown): RequestListener =>
  (_request, response) =>
    void response.writeHead(status).end(typeof body === "string" ? body : JSON.stringify(body));
const grant = { protocol: 2, token: "AQID", endpoints: [] };
const session = {} as Session;

const attempt = (url: URL, options: Partial<UDPAttemptOptions> = {}) =>
  attemptUDP(url, {
    headers: {},
    signal: new AbortController().signal,
    timeoutMs: 10_000,
    connectSession: async () => session,
    onProgress: () => {},
    ...options,
  });

describe("the request for a token", () => {
  test("names the seat, the address that was reached, and whoever asks", async () => {
    let seen: unknown;
    const url = await serve((request, response) => {
      let body = "";
      request.on("data", (chunk) => (body += chunk));
      request.on("end", () => {
        const { authorization, "x-game": game } = request.headers;
        seen = { method: request.method, path: request.url, authorization, game, body: JSON.parse(body) as unknown };
        response.end(JSON.stringify(grant));
      });
    }, "?sessionId=sess&reconnectionToken=back&skipHandshake=1&_authToken=jwt");
    let token: Uint8Array | undefined;
    const connectSession = async (bytes: Uint8Array) => {
      token = bytes;
      return session;
    };
    expect(await attempt(url, { headers: { "x-game": "chess" }, connectSession })).toEqual({ session, endpoints: [] });
    expect([...(token ?? [])]).toEqual([1, 2, 3]);
    expect(seen).toEqual({
      method: "POST",
      path: "/pre/sallyport/connect",
      authorization: "Bearer jwt",
      game: "chess",
      body: {
        protocol: 2,
        roomId: "room",
        sessionId: "sess",
        reconnectionToken: "back",
        skipHandshake: true,
        dialed: [{ address: "127.0.0.1", port: Number(url.port) }],
      },
    });
  });

  test.each<[string, RequestListener, string]>([
    ["a server that is not ours", answer(404, "Not found"), "this server does not speak Sallyport"],
    [
      "a seat that is gone",
      answer(404, { code: 524, error: "seat reservation expired." }),
      "no connect token: seat reservation expired.",
    ],
    ["a proxy's error page", answer(502, "<html>"), "no connect token: HTTP status 502"],
    [
      "an older server",
      answer(200, { ...grant, protocol: 1 }),
      "This game's server speaks Sallyport protocol 1, this client 2: update the server",
    ],
    [
      "a newer server",
      answer(409, { code: 409, error: "its own words", protocol: 3 }),
      "This game's server speaks Sallyport protocol 3, this client 2: update the client",
    ],
    [
      "a version that is none",
      answer(200, { ...grant, protocol: "two" }),
      "the server's answer is none of Sallyport's",
    ],
    ["half an answer", answer(200, { ...grant, token: 7 }), "no connect token: the server's answer has none"],
    ["no JSON", answer(200, "["), "the server's answer is none of Sallyport's"],
    ["null", answer(200, "null"), "the server's answer is none of Sallyport's"],
    ["an answer without end", answer(200, "x".repeat(100_000)), "the reply is too long"],
    ["a hang-up", (request) => void request.socket.destroy(), "socket hang up"],
  ])("fails in plain words: %s", async (_what, listener, message) => {
    await expect(attempt(await serve(listener))).rejects.toThrow(message);
  });
});

describe("the time limit", () => {
  const never: UDPAttemptOptions["connectSession"] = (_token, { signal }) =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("aborted")));
    });

  test("ends the wait for a server that is silent over HTTP", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const url = await serve(() => vi.advanceTimersByTime(30));
    await expect(attempt(url, { timeoutMs: 30 })).rejects.toThrow("no connect token from the server within 30 ms");
  });

  test("ends the wait for a server that is silent over UDP", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const url = await serve(answer(200, grant));
    const connectSession: typeof never = (token, options) => {
      const connecting = never(token, options);
      vi.advanceTimersByTime(60);
      return connecting;
    };
    await expect(attempt(url, { timeoutMs: 60, connectSession })).rejects.toThrow("no answer over UDP within 60 ms");
  });

  test("does not count what the server tells us to wait", async () => {
    const progress: string[] = [];
    let asked = 0;
    const { session: opened } = await attempt(new URL("ws://host/process/room"), {
      timeoutMs: 20,
      requestToken: async () => {
        if (++asked < 3) throw new ToldToWait("busy", 50);
        return { token: new Uint8Array(1), endpoints: [] };
      },
      onProgress: (stage, detail = "") => progress.push(`${stage} ${detail}`.trim()),
    });
    expect([opened, asked]).toEqual([session, 3]);
    expect(progress).toEqual(["token", "token busy", "token busy"]);
  });

  test("does not apply once the server has answered: it may have let the client in", async () => {
    const url = await serve(answer(200, grant));
    const progress: string[] = [];
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { session: opened } = await attempt(url, {
      timeoutMs: 100,
      onProgress: (stage, detail = "") => progress.push(`${stage} ${detail}`.trim()),
      connectSession: async (_token, { signal, onProgress }) => {
        onProgress({ state: 1, server: "192.0.2.1:7777" });
        onProgress({ state: 2, server: "192.0.2.1:7777" });
        vi.advanceTimersByTime(150);
        signal.throwIfAborted();
        return session;
      },
    });
    expect(opened).toBe(session);
    expect(progress).toEqual(["token", "udp 192.0.2.1:7777"]);
  });

  test("the caller's signal counts at any time, and with its own reason", async () => {
    const url = await serve(answer(200, grant));
    const abort = new AbortController();
    const connectSession: typeof never = (token, options) => {
      options.onProgress({ state: 2, server: "" });
      setImmediate(() => abort.abort(new Error("enough")));
      return never(token, options);
    };
    await expect(attempt(url, { signal: abort.signal, connectSession })).rejects.toThrow("enough");
  });
});
