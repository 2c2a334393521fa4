import assert from "node:assert/strict";
import { test } from "node:test";
import { FIELD, parseDirection, RADIUS, SPEED, walk } from "../src/rules.ts";

test("a direction is never longer than 1", () => {
  assert.deepEqual(parseDirection({ x: 0.5, y: 0 }), { x: 0.5, y: 0 });
  assert.deepEqual(parseDirection({ x: 30, y: 40 }), { x: 0.6, y: 0.8 });
  assert.equal(parseDirection({ x: Number.POSITIVE_INFINITY, y: 0 }), undefined);
  assert.equal(parseDirection(undefined), undefined);
});

test("walking takes time, and ends at the fence", () => {
  assert.deepEqual(walk({ x: 100, y: 100 }, { x: 1, y: 0 }, 0.5), { x: 100 + SPEED / 2, y: 100 });
  assert.deepEqual(walk({ x: 100, y: 100 }, { x: 1, y: 1 }, 60), { x: FIELD.width - RADIUS, y: FIELD.height - RADIUS });
});
