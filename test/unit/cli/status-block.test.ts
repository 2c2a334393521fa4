import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { StatusBlock } from "../../../sdk/src/cli/status-block.ts";
import { Rates } from "../../../sdk/src/cli/tunnel-words.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** As much of a terminal as is written to. */
class Screen {
  readonly columns = 20;
  lines: string[] = [""];
  written = "";

  write(text: string): void {
    this.written += text;
    // oxlint-disable-next-line no-control-regex
    for (const [part] of text.matchAll(/\u001b\[\??\d*[A-Za-z]|[\r\n]|[^\u001b\r\n]+/g)) {
      if (part === "\n") this.lines.push("");
      else if (/\[\d+A$/.test(part)) this.lines.length -= Number(part.slice(2, -1));
      else if (part === "\u001b[J") this.lines[this.lines.length - 1] = "";
      else if (part !== "\r" && !part.startsWith("\u001b")) this.lines[this.lines.length - 1] += part;
    }
  }
}

test("lines are written above, and the block anew each second, wherever it ends", () => {
  const screen = new Screen();
  let block = ["one guest", "a line that is much too long for it"];
  const status = new StatusBlock(screen, () => block);
  expect(screen.lines).toEqual(["one guest", "a line that is muc…", ""]);
  status.line("hello");
  expect(screen.lines).toEqual(["hello", "one guest", "a line that is muc…", ""]);
  block = ["none"];
  vi.advanceTimersByTime(1000);
  expect(screen.lines).toEqual(["hello", "none", ""]);
  status[Symbol.dispose]();
  block = ["more"];
  vi.advanceTimersByTime(5000);
  expect(screen.lines).toEqual(["hello", "none", ""]);
  expect(screen.written.endsWith("\u001b[?25h")).toBe(true);
});

test("rates are those since the last look; a session that counts from 0 again has none", () => {
  const rates = new Rates();
  const traffic = (bytesIn: number, bytesOut: number) =>
    ({ bytesIn, bytesOut, rttMs: 0, loss: 0, datagramsOut: 0, fragmented: 0 }) as const;
  expect(rates.look(1, traffic(1000, 0), 0)).toEqual({ inPerSecond: 0, outPerSecond: 0 });
  expect(rates.look(1, traffic(3000, 500), 500)).toEqual({ inPerSecond: 4000, outPerSecond: 1000 });
  expect(rates.look(1, traffic(10, 500), 1000)).toEqual({ inPerSecond: 0, outPerSecond: 0 });
  expect(rates.look(2, traffic(9000, 500), 1000)).toEqual({ inPerSecond: 0, outPerSecond: 0 });
});
