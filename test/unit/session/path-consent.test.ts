// Clients that proved an address once, and left it: what they say goes on, and who is there now must not be flooded (RFC 7675).
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { NetcodeClient } from "../../../sdk/src/netcode/client.ts";
import { NetcodeServer } from "../../../sdk/src/netcode/server.ts";
import { type Datagram, HOME, Network, SERVER, type SimulatedSession, simulateSession } from "./network.ts";

/** A proof is good for 5 s, and a question stays open for 10 s; a second passes between two looks. */
const GIVEN_UP_MS = 5_000 + 10_000 + 2_000;
const TICK_MS = 50;
const CHALLENGE = 0xc0;
const RESPONSE = 0xc1;

const run = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

let network: Network;
let world: SimulatedSession;
let patches: NodeJS.Timeout;
/** What is leaving is a question, or an answer. */
let leaving: "question" | "answer" | null;
let questions: number;
let answers: Datagram[];
/** Whether questions get through. */
let isThere: boolean;

beforeEach(() => {
  vi.useFakeTimers();
  [leaving, questions, answers, isThere] = [null, 0, [], true];
  const { sendTo } = NetcodeServer.prototype;
  vi.spyOn(NetcodeServer.prototype, "sendTo").mockImplementation(function (
    this: NetcodeServer,
    client,
    payload,
    ...to
  ) {
    leaving = payload[0] === CHALLENGE ? "question" : null;
    if (leaving) questions++;
    const bytes = sendTo.call(this, client, payload, ...to);
    leaving = null;
    return bytes;
  });
  const { send } = NetcodeClient.prototype;
  vi.spyOn(NetcodeClient.prototype, "send").mockImplementation(function (this: NetcodeClient, payload, now) {
    leaving = payload[0] === RESPONSE ? "answer" : null;
    const sent = send.call(this, payload, now);
    leaving = null;
    return sent;
  });
});

afterEach(async () => {
  clearInterval(patches);
  world.client.close();
  const closing = world.host.close();
  await run(100);
  await closing;
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** A room that says so much to somebody who says little. */
async function begin(bytes: number): Promise<void> {
  network = new Network(1);
  network.onSend = (datagram) => {
    if (leaving === "answer") answers.push(datagram);
    return leaving === "question" && !isThere ? false : undefined;
  };
  world = await simulateSession(network);
  if (bytes > 0) patches = setInterval(() => world.server.send(new Uint8Array(bytes), "unreliable"), TICK_MS);
  await run(500);
}

describe("a client that hears much and says little", () => {
  test("is asked every five seconds, and plays on", async () => {
    await begin(400);
    await run(60_000);
    expect(world.client.open && world.server.open).toBe(true);
    expect(questions).toBeGreaterThanOrEqual(9);
    expect(questions).toBeLessThanOrEqual(13);
  });

  test("is not given up on a path that loses a third, each way", async () => {
    await begin(400);
    network.loss = 0.33;
    await run(120_000);
    expect(world.client.open && world.server.open).toBe(true);
  });

  test("that has left is given up, though packets of its go on that seem to come from there", async () => {
    await begin(400);
    const closed = vi.fn();
    world.server.onClose = closed;
    // It hears what goes on in some other way, and says all that a player says; only the questions it cannot hear.
    isThere = false;
    await run(GIVEN_UP_MS);
    expect(closed).toHaveBeenCalledWith("timeout", 1006, "");
    const { length } = network.sent.filter(({ from }) => from.address === SERVER.address);
    await run(10_000);
    expect(network.sent.filter(({ from }) => from.address === SERVER.address).length).toBe(length);
  });

  test("that has left cannot go on with the answers that it gave before", async () => {
    await begin(400);
    const closed = vi.fn();
    world.server.onClose = closed;
    await run(20_000);
    expect(answers.length).toBeGreaterThan(1);
    isThere = false;
    const feed = setInterval(() => {
      for (const { data } of answers) network.post(data, HOME, SERVER);
    }, 200);
    await run(GIVEN_UP_MS);
    clearInterval(feed);
    expect(closed).toHaveBeenCalledWith("timeout", 1006, "");
  });
});

test("who says as much as it hears is not asked", async () => {
  await begin(0);
  await run(60_000);
  expect(questions).toBe(0);
  expect(world.server.open).toBe(true);
});
