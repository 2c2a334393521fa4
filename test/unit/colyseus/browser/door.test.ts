import { readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const DOOR = fileURLToPath(new URL("../../../../sdk/src/doors/browser.ts", import.meta.url));

/** Every file that the door imports, at once or later, types aside; and every package. */
function graph(file: string, files = new Set<string>(), packages = new Set<string>()) {
  if (files.has(file)) return { files, packages };
  files.add(file);
  const source = readFileSync(file, "utf8").replaceAll(/^(?:import|export) type [^;]*;/gm, "");
  const imports = source.matchAll(/(?:^(?:import|export)\s[^;"]*?from |^import |import\()"([^"]+)"/gm);
  for (const [, name = ""] of imports) {
    if (name.startsWith(".")) graph(resolve(dirname(file), name), files, packages);
    else packages.add(name);
  }
  return { files, packages };
}

test("the door for browsers imports nothing of Node's, and few packages", () => {
  const { files, packages } = graph(DOOR);
  // The graph is found at all.
  expect([...files].some((file) => file.endsWith(join("webrtc", "link.ts")))).toBe(true);
  expect([...files].some((file) => file.endsWith(join("rendezvous", "sealed", "noise.ts")))).toBe(true);
  const builtin = [...packages].filter((name) => name.startsWith("node:") || builtinModules.includes(name));
  expect(builtin).toEqual([]);
  const own = new Set(
    [...packages].map((name) =>
      name
        .split("/")
        .slice(0, name.startsWith("@") ? 2 : 1)
        .join("/"),
    ),
  );
  expect([...own].toSorted()).toEqual(["@colyseus/sdk", "@noble/hashes", "@noble/secp256k1", "libsodium-wrappers"]);
});

test("what runs in a page uses no name that only Node has", () => {
  for (const file of graph(DOOR).files) {
    const code = readFileSync(file, "utf8").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
    // `NodeJS.Timeout` is a type alone.
    expect(code, file).not.toMatch(
      /\bBuffer\.|(?<!globalThis\.)\bsetImmediate\(|\brequire\(|(?<!globalThis\.)\bprocess\.|\)\.unref\(/,
    );
  }
});
