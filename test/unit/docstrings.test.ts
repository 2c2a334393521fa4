/** What `npm run check:docs` finds, and what it lets pass. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DocstringCount } from "../../sdk/docstrings-check.ts";

const ROOM = `
import { Base } from "./base.ts";
/** Documented. */
export interface Options {
  /** Documented. */
  good: number;
  // No docstring.
  bad: number;
}
export class Thing extends Base {
  /** Documented. */
  static readonly made = 1;
  /** Read. */
  get size(): number { return 1; }
  set size(value: number) {}
  #hidden = 1;
  private secret = 1;
  override toString(): string { return ""; }
  constructor() { super(); }
  bare(): void {}
  /** @internal */
  inner(): void {}
}
/** Codes. */
export const Codes = {
  /** Fine. */
  OK: 0,
  FAILED: 1,
} as const;
/** A value of it. */
export type Codes = 0 | 1;
export const unrelated = 1;
`;

test("every export of a door and every member of it is counted, once", () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-docstrings-"));
  try {
    writeFileSync(join(folder, "room.ts"), ROOM);
    writeFileSync(join(folder, "base.ts"), "export class Base {\n  inherited = 1;\n}\n");
    writeFileSync(join(folder, "door.ts"), 'export { type Options, Thing, Codes as Numbers } from "./room.ts";\n');
    const count = new DocstringCount(folder);
    count.addDoor(join(folder, "door.ts"));
    expect(count.missing.map(({ file, name }) => `${file} ${name}`)).toEqual([
      "room.ts Options.bad",
      "room.ts Thing",
      "room.ts Thing.bare",
      "base.ts Thing.inherited",
      "room.ts Codes.FAILED",
    ]);
    expect(count.missing[0]?.line).toBe(8);
    expect([count.exports, count.members]).toEqual([3, 8]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
