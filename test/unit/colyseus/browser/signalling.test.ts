import { expect, test } from "vitest";
import { requestAnswer } from "../../../../sdk/src/colyseus/browser/signalling.ts";

const room = new URL("ws://198.51.100.7:7777/prefix/process/room?sessionId=s&_authToken=secret&skipHandshake=1");
const answer = { protocol: 2, answer: "v=0", timeoutMs: 9000 };

function server(status: number, body: unknown) {
  const asked: { url: string; headers: RequestInit["headers"]; body: string }[] = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const { url } = new Request(input, init);
    asked.push({ url, headers: init?.headers, body: typeof init?.body === "string" ? init.body : "" });
    return new Response(typeof body === "string" ? body : JSON.stringify(body), { status });
  };
  const ask = (url = room) => requestAnswer(fetch, url, "offer", { "x-game": "1" }, new AbortController().signal);
  return { asked, ask };
}

test("asks the process that has the room, for the seat, as whoever is logged in", async () => {
  const { asked, ask } = server(200, answer);
  expect(await ask()).toEqual(answer);
  const [{ url, headers, body } = expect.unreachable()] = asked;
  expect(url).toBe("http://198.51.100.7:7777/prefix/sallyport/webrtc");
  expect(headers).toMatchObject({ authorization: "Bearer secret", "x-game": "1" });
  expect(JSON.parse(body)).toEqual({
    protocol: 2,
    roomId: "room",
    sessionId: "s",
    skipHandshake: true,
    dialed: [{ address: "198.51.100.7", port: 7777 }],
    offer: "offer",
  });
});

test("names the address that was dialed where the URL has one", async () => {
  const dialed = async (url: string): Promise<unknown> => {
    const { asked, ask } = server(200, answer);
    await ask(new URL(url));
    return (JSON.parse(asked[0]?.body ?? "") as { dialed: unknown }).dialed;
  };
  expect(await dialed("ws://[2001:db8::7]:7/p/r")).toEqual([{ address: "2001:db8::7", port: 7 }]);
  expect(await dialed("wss://198.51.100.7/p/r")).toEqual([{ address: "198.51.100.7", port: 443 }]);
  expect(await dialed("wss://game.example/p/r")).toEqual([]);
});

test.each<[string, number, unknown, RegExp]>([
  ["none here", 200, { protocol: 2, unavailable: "this server offers none" }, /^this server offers none$/],
  ["no seat", 404, { code: 524, error: "seat reservation expired." }, /^seat reservation expired\.$/],
  ["another kind of server", 404, "Cannot POST", /does not speak Sallyport/],
  ["a proxy that is down", 502, "<html>", /HTTP status 502/],
  [
    "another version",
    200,
    { protocol: 3, answer: "v=0", timeoutMs: 1 },
    /^This game's server speaks Sallyport's WebRTC protocol 3, this client 2: update the client$/,
  ],
  [
    "another version, which the server notices",
    409,
    { code: 409, error: "…", protocol: 3 },
    /protocol 3, this client 2/,
  ],
  ["half an answer", 200, { protocol: 2, answer: "v=0" }, /has no SDP/],
  ["no answer of ours", 200, "<html>", /none of Sallyport's/],
])("says why there is no answer: %s", async (_what, status, body, why) => {
  await expect(server(status, body).ask()).rejects.toThrow(why);
});

test("a server that is not there, or does not allow this page, is no riddle; an abort stays one", async () => {
  const fetch = () => Promise.reject(new TypeError("Failed to fetch"));
  const { signal } = new AbortController();
  await expect(requestAnswer(fetch, room, "", {}, signal)).rejects.toThrow(/did not answer/);
  const aborted = AbortSignal.abort(new Error("as asked"));
  await expect(requestAnswer(fetch, room, "", {}, aborted)).rejects.toThrow("as asked");
});
