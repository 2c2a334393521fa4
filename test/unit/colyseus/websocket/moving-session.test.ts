/** From WebSocket to a session in mid-game: nothing lost, doubled or out of order, whichever of the two is the faster. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type End, message, movingPair } from "./pair.ts";

const steps = (count: number) => () => count;
const upTo = (count: number): number[] => [...Array(count).keys()];

test("each message arrives once, in order, whatever the delays and whenever each is sent", () => {
  const delays = fc.infiniteStream(fc.integer({ min: 1, max: 40 }));
  const times = fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 60 });
  fc.assert(
    fc.property(delays, delays, times, times, fc.integer({ min: 0, max: 100 }), (slow, fast, ours, theirs, moveAt) => {
      const { net, client, server, connect } = movingPair({
        webSocket: () => slow.next().value as number,
        session: () => fast.next().value as number,
      });
      const say = (end: End, at: number[]): void => {
        [...at]
          .sort((a, b) => a - b)
          .forEach((when, number) => {
            // Unreliable ones too: they are not to overtake what they may speak of.
            net.at(when, () => end.moving.send(message(number), number % 3 === 0 ? "unreliable" : "reliable"));
          });
      };
      say(client, ours);
      say(server, theirs);
      net.at(moveAt, () => {
        connect();
        expect(client.moving.move()).toBe(true);
      });
      net.run();
      expect(server.got).toEqual(upTo(ours.length));
      expect(client.got).toEqual(upTo(theirs.length));
      for (const { moving, ends, socket } of [client, server]) {
        expect([moving.isWebSocket, moving.open, socket.isOpen, ends]).toEqual([false, true, false, []]);
      }
    }),
    { numRuns: 300 },
  );
});

test("what answers a message goes where it came from or later, and arrives", () => {
  const { net, client, server, connect } = movingPair({ webSocket: steps(30), session: steps(2) });
  server.moving.onMessage = (data) => server.moving.send(data, "reliable");
  for (let i = 0; i < 20; i++) net.at(i * 5, () => client.moving.send(message(i), "reliable"));
  net.at(40, () => {
    connect();
    client.moving.move();
  });
  net.run();
  expect(client.got).toEqual(upTo(20));
});

test("both ends hear that they have moved, once, with the new address", () => {
  const { net, client, server, connect } = movingPair({ webSocket: steps(3), session: steps(1) });
  const paths: string[] = [];
  for (const [name, { moving }] of Object.entries({ client, server })) {
    moving.onPath = ({ address }) => paths.push(`${name} ${address} ${moving.isWebSocket}`);
  }
  connect();
  expect(client.moving.isWebSocket).toBe(true);
  client.moving.move();
  net.run();
  expect(paths.sort()).toEqual(["client 127.0.0.1 false", "server 127.0.0.1 false"]);
});

test("a session that ends before anything was moved costs nothing, and another may follow", () => {
  const { net, client, server, connect } = movingPair({ webSocket: steps(3), session: steps(1) });
  const first = connect();
  first.client.lose();
  first.server.lose();
  expect(client.moving.move()).toBe(false);
  client.moving.send(message(0), "reliable");
  net.run();
  connect();
  expect(client.moving.move()).toBe(true);
  client.moving.send(message(1), "reliable");
  net.run();
  expect(server.got).toEqual([0, 1]);
  expect([client.ends, server.ends]).toEqual([[], []]);
});

test("a session that ends while it is being moved to ends the conversation as a lost one", () => {
  const { net, client, server, connect } = movingPair({ webSocket: steps(5), session: steps(1) });
  const beside = connect();
  client.moving.move();
  client.moving.send(message(0), "reliable");
  beside.client.lose();
  beside.server.lose();
  net.run();
  expect(server.got).toEqual([]);
  for (const { ends, socket } of [client, server]) {
    expect(ends.length).toBe(1);
    expect([0, 1006, 4010]).toContain(ends[0]?.code);
    expect(socket.isOpen).toBe(false);
  }
});

test.each([
  ["before", 0],
  ["in the middle of", 3],
])("a WebSocket that breaks %s the move ends both, once", (_when, at) => {
  const { net, client, server, connect } = movingPair({ webSocket: steps(5), session: steps(1) });
  const beside = connect();
  if (at > 0) client.moving.move();
  net.at(at, () => client.socket.cut());
  net.run();
  for (const { ends, moving } of [client, server]) {
    expect(ends.map(({ code }) => code)).toEqual([1006]);
    expect(moving.open).toBe(false);
  }
  expect([beside.client.open, beside.server.open]).toEqual([false, false]);
});

test("a WebSocket that breaks after the move is nobody's business", () => {
  const { net, client, server, connect } = movingPair({ webSocket: steps(5), session: steps(1) });
  connect();
  client.moving.move();
  net.run();
  client.socket.cut();
  client.moving.send(message(7), "reliable");
  net.run();
  expect(server.got).toEqual([7]);
  expect(client.ends).toEqual([]);
});

test.each([
  ["on the WebSocket", 0, 0],
  ["with a session beside it", 1, 0],
  ["in the middle of the move", 2, 2],
  ["after it", 2, 50],
])("a kick arrives with its code, and after what was said before: %s", (_when, stage, at) => {
  const { net, client, server, connect } = movingPair({ webSocket: steps(5), session: steps(1) });
  if (stage > 0) connect();
  if (stage > 1) client.moving.move();
  net.at(at, () => {
    server.moving.send(message(1), "reliable");
    server.moving.close(4123, "out");
  });
  net.run();
  expect(client.got).toEqual([1]);
  expect(client.ends).toMatchObject([{ code: 4123, text: "out" }]);
  expect(server.ends.map(({ code }) => code)).toEqual([4123]);
  expect([client.moving.open, server.moving.open]).toEqual([false, false]);
});

test.each([
  ["on the WebSocket", 0, 0],
  ["in the middle of the move", 2, 1],
  ["as the other side hears of it", 2, 5],
  ["after it", 2, 50],
])("leaving arrives with its code, and after what was said before: %s", (_when, stage, at) => {
  const { net, client, server, connect } = movingPair({ webSocket: steps(5), session: steps(1) });
  if (stage > 0) connect();
  if (stage > 1) client.moving.move();
  net.at(at, () => {
    client.moving.send(message(1), "reliable");
    client.moving.close(4000);
  });
  net.run();
  expect(server.got).toEqual([1]);
  expect(server.ends).toMatchObject([{ code: 4000 }]);
  expect(client.ends.map(({ code }) => code)).toEqual([4000]);
});

test("a newer session takes the place of one that was offered, which is closed", () => {
  const { net, client, server, connect } = movingPair({ webSocket: steps(3), session: steps(1) });
  const first = connect();
  connect();
  expect([first.client.open, first.server.open]).toEqual([false, false]);
  client.moving.move();
  client.moving.send(message(3), "reliable");
  net.run();
  expect(server.got).toEqual([3]);
});

test("a session for somebody who has moved or left is closed", () => {
  const { net, client, connect } = movingPair({ webSocket: steps(3), session: steps(1) });
  connect();
  client.moving.move();
  net.run();
  const late = connect();
  expect([late.client.open, late.server.open]).toEqual([false, false]);
  expect(client.moving.open).toBe(true);
});

test("who sends without end before the move is closed, and nothing of it is kept", () => {
  const { net, client, server, connect } = movingPair({ webSocket: steps(3), session: steps(1) });
  const { client: beside } = connect();
  for (let i = 0; i < 20; i++) beside.send(new Uint8Array(1 << 20), "reliable");
  net.run();
  expect(server.got).toEqual([]);
  expect(server.moving.open).toBe(false);
  expect(client.ends.length).toBe(1);
});

test.each(["", "[]", "{}", "null", "[1]", '["upgrade"]', '["upgrade","zz"]', '["later",1]', `["${"x".repeat(500)}"]`])(
  "text that is none of ours is passed over: %s",
  (text) => {
    const { client, net } = movingPair({ webSocket: steps(1), session: steps(1) });
    let keys = 0;
    client.moving.onUpgrade = () => keys++;
    client.socket.session?.receive(text);
    net.run();
    expect([keys, client.got, client.ends, client.moving.open]).toEqual([0, [], [], true]);
  },
);
