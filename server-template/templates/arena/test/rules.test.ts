import assert from "node:assert/strict";
import { test } from "node:test";
import { FIELD, RADIUS, REACH, reaches, SPEED, walk } from "../public/rules.js";

test("nobody walks faster than the others", () => {
  for (const input of [
    { x: 100, y: 0 },
    { x: 100, y: 100 },
    { x: -100, y: 100 },
  ]) {
    const player = { x: 400, y: 250 };
    walk(player, input, 0.5);
    assert.ok(Math.abs(Math.hypot(player.x - 400, player.y - 250) - SPEED / 2) < 1e-9);
  }
});

test("walking takes time, can be slower, and ends at the fence", () => {
  const player = { x: 100, y: 100 };
  walk(player, { x: 50, y: 0 }, 0.5);
  assert.deepEqual(player, { x: 100 + SPEED / 4, y: 100 });
  walk(player, { x: 100, y: 100 }, 60);
  assert.deepEqual(player, { x: FIELD.width - RADIUS, y: FIELD.height - RADIUS });
});

test("who is close can be tagged", () => {
  assert.ok(reaches({ x: 100, y: 100 }, { x: 100 + REACH, y: 100 }));
  assert.ok(!reaches({ x: 100, y: 100 }, { x: 101 + REACH, y: 100 }));
});
