import { type AuthContext, createAuthContext } from "@colyseus/core";
import { expect, test } from "vitest";
import { type Caller, callerAt } from "../../../../../sdk/src/colyseus/server/admission/caller.ts";
import { Wait } from "../../../../../sdk/src/colyseus/server/entrances/seat-endpoint.ts";
import { UDPEndpoint } from "../../../../../sdk/src/colyseus/server/entrances/udp-endpoint.ts";
import type { ConnectReply } from "../../../../../sdk/src/colyseus/wire/connect-request.ts";
import { encodeSeat, type Seat } from "../../../../../sdk/src/colyseus/wire/seat.ts";
import type { Session, SessionServer } from "../../../../../sdk/src/session/types.ts";
import { FakeSession } from "../fake-session.ts";

type TokenRequest = Parameters<SessionServer["createToken"]>[0];

class Sessions implements SessionServer {
  onSession: SessionServer["onSession"] = null;
  readonly tokens: TokenRequest[] = [];
  readonly sessions: ReadonlySet<Session> = new Set();
  closed = false;

  createToken(request: TokenRequest): Uint8Array {
    this.tokens.push(request);
    return Buffer.from("token");
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

const seat: Seat = { roomId: "room", sessionId: "ann", reconnectionToken: "", skipHandshake: false };
const request = (...ports: number[]) => ({
  protocol: 1,
  seat,
  dialed: ports.map((port) => ({ address: "192.0.2.1", port })),
});
const context = createAuthContext({ headers: { "x-name": "ann" } });
const caller = callerAt("192.0.2.9");

function open(ports: readonly number[] = [7777]) {
  const sessions = new Sessions();
  const joined: [seat: Seat, context: AuthContext, caller: Caller | undefined][] = [];
  const endpoint = new UDPEndpoint({
    timeoutSeconds: 9,
    tokensPerSeat: 4,
    endpoints: () => ports.map((port) => ({ kind: "host", address: "192.0.2.1", port })),
    onSession: (_session, theirs, asked, by) => joined.push([theirs, asked, by]),
  });
  return { endpoint, sessions, joined };
}

test("there are no tokens before it is open, nor where nothing can be dialed", () => {
  const { endpoint } = open();
  expect(endpoint.issue(request(), { context, caller })).toBeNull();
  const nowhere = open([]);
  nowhere.endpoint.open(nowhere.sessions);
  expect(nowhere.endpoint.issue(request(), { context, caller })).toBeNull();
  expect(nowhere.endpoint.granted).toBe(0);
});

test("the address that the player dialed comes first, none comes twice, and eight are enough", () => {
  const { endpoint, sessions } = open([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  endpoint.open(sessions);
  const reply = endpoint.issue(request(3), { context, caller }) as ConnectReply;
  expect(reply.endpoints.map(({ port }) => port)).toEqual([3, 1, 2, 4, 5, 6, 7, 8]);
  expect(reply.endpoints[0]?.kind).toBe("dialed");
  expect(sessions.tokens[0]).toMatchObject({ timeoutSeconds: 9, expireSeconds: 30 });
  expect(endpoint.granted).toBe(1);
});

test.each([
  { what: "the same port", announced: undefined, dialed: 7777, ports: [7777] },
  { what: "a reverse proxy's", announced: undefined, dialed: 443, ports: [443, 7777] },
  { what: "a reverse proxy's, the game's being announced", announced: 30_001, dialed: 443, ports: [30_001, 443] },
  { what: "one that is announced", announced: 30_000, dialed: 30_000, ports: [30_000] },
])("by the address that was dialed at $what, UDP is tried at $ports", ({ announced, dialed, ports }) => {
  const sessions = new Sessions();
  const endpoint = new UDPEndpoint({
    timeoutSeconds: 9,
    tokensPerSeat: 4,
    endpoints: () => [{ kind: "host", address: "172.17.0.2", port: 7777 }],
    ports: () => ({ bound: 7777, announced }),
    onSession: () => expect.unreachable(),
  });
  endpoint.open(sessions);
  const { endpoints } = endpoint.issue(request(dialed), { context, caller }) as ConnectReply;
  expect(endpoints).toEqual([
    ...ports.map((port) => ({ kind: "dialed", address: "192.0.2.1", port })),
    { kind: "host", address: "172.17.0.2", port: 7777 },
  ]);
});

test("a session joins its seat with what its request said, once", () => {
  const { endpoint, sessions, joined } = open();
  endpoint.open(sessions);
  endpoint.issue(request(), { context, caller });
  const clientId = sessions.tokens[0]?.clientId ?? 0n;
  const userData = encodeSeat(seat) ?? new Uint8Array();
  sessions.onSession?.(new FakeSession(clientId, userData));
  sessions.onSession?.(new FakeSession(clientId, userData));
  expect(joined).toHaveLength(2);
  expect(joined[0]).toEqual([seat, context, caller]);
  expect(joined[1]?.[1].headers.get("x-name")).toBeNull();
});

test("the tokens of one seat are one client's, and after a few one has to wait", () => {
  const { endpoint, sessions } = open();
  endpoint.open(sessions);
  for (let i = 0; i < 4; i++) expect(endpoint.issue(request(), { context, caller })).toHaveProperty("token");
  expect(new Set(sessions.tokens.map(({ clientId }) => clientId)).size).toBe(1);
  const wait = endpoint.issue(request(), { context, caller });
  expect(wait).toBeInstanceOf(Wait);
  expect((wait as Wait).refusal).toMatchObject({
    status: 429,
    error: "Too many tokens for this seat: wait 2 seconds.",
  });
  expect(endpoint.granted).toBe(4);
});

test("a session without a seat is closed", () => {
  const { endpoint, sessions, joined } = open();
  endpoint.open(sessions);
  const stranger = new FakeSession(1n, new Uint8Array([255]));
  sessions.onSession?.(stranger);
  expect(stranger.open).toBe(false);
  expect(joined).toEqual([]);
});

test("its sessions are closed with it", async () => {
  const { endpoint, sessions } = open();
  endpoint.open(sessions);
  await endpoint.close();
  expect(sessions.closed).toBe(true);
});
