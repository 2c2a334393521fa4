import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { DEFAULT_TEMPLATE, TEMPLATES } from "../../../server-template/src/templates.ts";

const FOLDER = new URL("../../../server-template/templates/", import.meta.url);
const names = readdirSync(FOLDER, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

test("each folder is a template that can be chosen, and no other is", () => {
  expect(Object.keys(TEMPLATES).toSorted()).toEqual(names.toSorted());
  expect(Object.keys(TEMPLATES)[0]).toBe(DEFAULT_TEMPLATE);
});

test.each(names)("%s calls itself by its placeholder", (name) => {
  const manifest = JSON.parse(readFileSync(new URL(`${name}/package.json`, FOLDER), "utf8")) as { name: string };
  expect(manifest.name).toBe(TEMPLATES[name]?.placeholder);
});
