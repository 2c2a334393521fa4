import fc from "fast-check";
import { expect, test } from "vitest";
import { nameProblem, suggestName } from "../../../server-template/src/name.ts";

test.each([
  ["my-game", undefined],
  ["g", undefined],
  ["", "it is empty"],
  ["http", "npm keeps it for itself"],
  ["node_modules", "npm keeps it for itself"],
  ["My-game", "capitals are not allowed"],
  ["_game", "letters, digits, - . and _ are allowed, and it begins with a letter or a digit"],
  ["a".repeat(215), "it is longer than 214 characters"],
])("%j: %s", (name, problem) => {
  expect(nameProblem(name)).toBe(problem);
});

test.each([
  ["My Game!", "my-game"],
  ["Épée à deux", "epee-a-deux"],
  ["...", "my-game"],
  ["fs", "my-game"],
])("%j becomes %s", (text, name) => {
  expect(suggestName(text)).toBe(name);
});

test("what is suggested is allowed", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => nameProblem(suggestName(text)) === undefined));
});
