/** The room as players know it: a real server, real clients over UDP, on this machine alone. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { after, afterEach, before, test } from "node:test";
import { type Arena, join } from "../client/join.ts";
import { Pilot, type Wish } from "../client/pilot.ts";
import { FIELD, SPEED } from "../public/rules.js";

process.env.SALLYPORT_VIA = "none"; // tests ask no router
process.env.SALLYPORT_LAN = "none"; // and tell no neighbour
const { server, transport } = await import("../src/app.config.ts");

let url = "";
const rooms: Arena[] = [];

async function enter(name: string): Promise<Arena> {
  const room = await join(url, { name });
  room.onMessage("tagged", () => {});
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

afterEach(async () => {
  for (const room of rooms.splice(0)) if (room.connection.isOpen) await room.leave();
});

after(async () => {
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

/** Plays until the player leaves. */
function play(room: Arena, wish: () => Wish): Pilot {
  const pilot = new Pilot(room);
  const timer = setInterval(() => pilot.frame(wish), 1000 / 60);
  room.onLeave(() => clearInterval(timer));
  return pilot;
}

test("a player walks at once, the server agrees, and the field has an end", async () => {
  const ada = await enter("Ada");
  const me = ada.state.players.get(ada.sessionId);
  assert.ok(me);
  const { y } = me;
  const pilot = play(ada, () => ({ x: 100, y: 0 }));
  await stateOf(ada, () => me.x > FIELD.width / 2 + 50);
  assert.ok(pilot.own.x >= me.x, "the prediction is ahead of the server");
  assert.equal(me.y, y);
  await stateOf(ada, () => me.x === FIELD.width - 16);
});

test("who sends twice as many inputs walks no faster", async () => {
  const ada = await enter("Ada");
  const input = ada.input({ mode: "reliable" });
  const me = ada.state.players.get(ada.sessionId);
  assert.ok(me);
  const [from, began] = [me.x, performance.now()];
  const cheating = setInterval(() => {
    for (let n = 0; n < 4; n++) {
      input.data.x = -100;
      input.send();
    }
  }, 1000 / 60);
  await stateOf(ada, () => me.x < from - 150);
  clearInterval(cheating);
  const allowed = (SPEED * (performance.now() - began)) / 1000;
  // A third of a second is forgiven, which a line may have held back.
  assert.ok(from - me.x <= allowed + SPEED * 0.4, `${from - me.x} of ${allowed}`);
});

test("whoever is seen close by is tagged", async () => {
  const ada = await enter("Ada");
  const ben = await enter("Ben");
  const tagged = new Promise((resolve) => ben.onMessage("tagged", resolve));
  play(ada, () => ({ tag: true }));
  assert.deepEqual(await tagged, { by: ada.sessionId, who: ben.sessionId });
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

test("nonsense hurts nobody", async () => {
  const ada = await enter("Ada");
  const input = ada.input({ mode: "reliable" });
  for (const nonsense of [Number.NaN, 1000, -1000]) {
    Object.assign(input.data, { x: nonsense, y: 0, tag: false });
    input.send();
  }
  Object.assign(input.data, { x: 0, y: 0 });
  input.send();
  const answered = new Promise((resolve) => ada.onMessage("wave", resolve));
  for (const nonsense of [null, 7, "x", {}, []]) ada.send("wave", nonsense);
  await answered; // reliable messages keep their order: when this is answered, all before has been read
  const { x, y } = ada.state.players.get(ada.sessionId) ?? { x: 0, y: 0 };
  assert.ok(Math.abs(x - FIELD.width / 2) < 20 && y === FIELD.height / 2, `${x}, ${y}`);
});
