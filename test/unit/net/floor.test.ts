import { readdirSync, readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const NET = fileURLToPath(new URL("../../../sdk/src/net", import.meta.url));

test("the ground floor imports no other room and no package", () => {
  const files = readdirSync(NET, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  expect(files.length).toBeGreaterThan(10);
  for (const file of files) {
    const path = resolve(NET, file);
    for (const [, name = ""] of readFileSync(path, "utf8").matchAll(/ from "([^"]+)";$/gm)) {
      if (name.startsWith("node:")) continue;
      expect(name, file).toMatch(/^\.{1,2}\//);
      expect(relative(NET, resolve(dirname(path), name)), `${file} imports ${name}`).not.toMatch(/^\.\./);
    }
  }
});
