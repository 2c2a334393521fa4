import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { expect, test } from "vitest";
import { readDefaultRoutes } from "../../../sdk/src/net/default-route.ts";
import { toolOutput } from "../../../sdk/src/net/tool-output.ts";

/** A tool that this test writes. */
const tool = (program: string, options?: Parameters<typeof toolOutput>[2]): Promise<string> =>
  toolOutput(process.execPath, ["-e", program], options);

test("what a tool writes, byte by byte", async () => {
  expect(await tool(`process.stdout.write(Buffer.from([0x41, 0x84, 0xa0, 0x0a]))`)).toBe("A\x84\xa0\n");
});

test("a tool that fails has written what it has written", async () => {
  expect(await tool(`process.stdout.write("first\\n", () => process.exit(3))`)).toBe("first\n");
});

test("a tool that is not there writes nothing", async () => {
  expect(await toolOutput("/nowhere/at/all/ROUTE.EXE", ["print"])).toBe("");
});

test("a tool that hangs is ended", async () => {
  const began = performance.now();
  expect(await tool("setInterval(() => {}, 1000)", { timeoutMs: 300 })).toBe("");
  expect(performance.now() - began).toBeLessThan(20_000);
});

test("a tool that writes without end is ended, and what is kept is bounded", async () => {
  const endless = `const chunk = "x".repeat(65536); const more = () => process.stdout.write(chunk, more); more();`;
  const output = await tool(endless, { timeoutMs: 60_000, maxBytes: 100_000 });
  expect(output.length).toBeLessThanOrEqual(100_000);
});

test("the default routes of this machine go through its interfaces", async () => {
  const routes = await readDefaultRoutes();
  for (const { interfaceName } of routes) expect(Object.keys(networkInterfaces())).toContain(interfaceName);
  if (process.platform !== "linux") return;
  const hasDefault = readFileSync("/proc/net/route", "latin1")
    .split("\n")
    .some((line) => /^\S+\t00000000\t[0-9A-F]{8}\t0003\t.*\t00000000\t/.test(line));
  expect(routes.some(({ family, gateway }) => family === 4 && gateway !== undefined)).toBe(hasDefault);
});
