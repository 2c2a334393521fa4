import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { TEMPLATES } from "../../../server-template/src/templates.ts";

const read = (path: string) =>
  JSON.parse(readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8")) as {
    version: string;
    dependencies: Record<string, string>;
  };

test.each(Object.keys(TEMPLATES))(
  "%s asks for the SDK that it is tested with, also where it is copied by hand",
  (name) => {
    const { dependencies } = read(`server-template/templates/${name}/package.json`);
    expect(dependencies["sallyport"]).toBe(`^${read("sdk/package.json").version}`);
  },
);
