/** The room as players know it: a real server, real clients over UDP, on this machine alone. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { after, before, test } from "node:test";
import { type Arena, join } from "../client/join.ts";
import { FIELD } from "../src/rules.ts";

process.env.SALLYPORT_VIA = "none"; // tests ask no router
process.env.SALLYPORT_LAN = "none"; // and tell no neighbour
const { server, transport } = await import("../src/app.config.ts");

let url = "";
const rooms: Arena[] = [];

async function enter(name: string): Promise<Arena> {
  const room = await join(url, { name });
  rooms.push(room);
  await stateOf(room, () => room.state.players.has(room.sessionId));
  return room;
}

/** Resolves as soon as the room's state is as wished. */
function stateOf(room: Arena, isSo: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (!isSo()) return;
      room.onStateChange.remove(look);
      resolve();
    };
    room.onStateChange(look);
    look();
  });
}

before(async () => {
  const probe = createServer().listen(0);
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await server.listen(port);
  url = `http://127.0.0.1:${port}`;
});

after(async () => {
  for (const room of rooms) if (room.connection.isOpen) await room.leave();
  await server.gracefullyShutdown(false);
  await transport[Symbol.asyncDispose]();
});

test("players see each other, over UDP", async () => {
  const ada = await enter("Ada");
  const ben = await enter("Ben");
  assert.equal(ada.path.kind, "direct");
  await stateOf(ada, () => ada.state.players.size === 2);
  assert.equal(ada.state.players.get(ben.sessionId)?.name, "Ben");
  await ben.leave();
  await stateOf(ada, () => ada.state.players.size === 1);
});

test("a move goes the way that was asked for, and the field has an end", async () => {
  const ada = await enter("Ada");
  let n = 0;
  const walking = setInterval(() => ada.sendUnreliable("move", { n: ++n, x: 1000, y: 0 }), 50);
  const me = (): { x: number; y: number } => ada.state.players.get(ada.sessionId) ?? { x: 0, y: 0 };
  const y = me().y;
  await stateOf(ada, () => me().x > FIELD.width / 2 + 50);
  clearInterval(walking);
  assert.equal(me().y, y);
  assert.ok(me().x <= FIELD.width);
});

test("a wave is seen by everybody", async () => {
  const ada = await enter("Ada");
  const ben = await enter("Ben");
  const seen = Promise.all(
    [ada, ben].map((room) => new Promise((resolve) => room.onMessage("wave", ({ from }) => resolve(from)))),
  );
  ada.send("wave");
  assert.deepEqual(await seen, [ada.sessionId, ada.sessionId]);
});

test("nonsense moves nobody and hurts nobody", async () => {
  const ada = await enter("Ada");
  for (const nonsense of [null, 7, "x", {}, { n: 1, x: "1", y: 0 }, { n: Number.NaN, x: 1, y: 1 }, []]) {
    ada.send("move", nonsense);
  }
  const answered = new Promise((resolve) => ada.onMessage("wave", resolve));
  ada.send("wave"); // reliable messages keep their order: when this is answered, all have been read
  await answered;
  const { x, y } = ada.state.players.get(ada.sessionId) ?? { x: 0, y: 0 };
  assert.deepEqual([x, y], [FIELD.width / 2, FIELD.height / 2]);
});
