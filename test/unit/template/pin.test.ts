import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const read = (path: string) =>
  JSON.parse(readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8")) as {
    version: string;
    dependencies: Record<string, string>;
  };

test("the template asks for the SDK that it is tested with, also where it is copied by hand", () => {
  const { dependencies } = read("server-template/templates/arena/package.json");
  expect(dependencies["sallyport"]).toBe(`^${read("sdk/package.json").version}`);
});
