import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const text = readFileSync(`${ROOT}ARCHITECTURE.md`, "utf8");

test("every file that ARCHITECTURE.md names is there", () => {
  const named = [...text.matchAll(/`([\w-]+(?:\/[\w.-]+)*\/?)`/g)]
    .map(([, name = ""]) => name)
    .filter((name) => name.includes("/"));
  expect(named.length).toBeGreaterThan(40);
  const missing = named.filter((name) => !existsSync(`${ROOT}sdk/src/${name}`) && !existsSync(ROOT + name));
  expect(missing).toEqual([]);
});

test("every room of the source is in its tree", () => {
  const tree = text.slice(text.indexOf("```"), text.indexOf("`server-template/`"));
  const rooms = readdirSync(`${ROOT}sdk/src`);
  expect(rooms.filter((room) => !tree.includes(` ${room}/`))).toEqual([]);
});
