/** The documentation's code blocks. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

export interface Block {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  readonly code: string;
  /** "```ts file=src/room.ts": the reader's file that this is. */
  readonly file: string | undefined;
  /** "<!-- not run: why -->" in the line before. */
  readonly why: string | undefined;
}

export function codeBlocks(page: string): Block[] {
  const text = readFileSync(join(ROOT, page), "utf8");
  const found = text.matchAll(/(?:^<!-- not run: (.+) -->\n)?^```(\w*)(?: file=(\S+))?\n([^]*?)^```$/gm);
  return [...found].map(({ 1: why, 2: language = "", 3: file, 4: code = "", index }) => ({
    page,
    line: text.slice(0, index).split("\n").length + (why === undefined ? 1 : 2),
    language,
    code,
    file,
    why,
  }));
}
