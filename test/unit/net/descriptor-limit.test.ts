import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { descriptorLimit, softLimitOf } from "../../../sdk/src/net/descriptor-limit.ts";

const MODULE = new URL("../../../sdk/src/net/descriptor-limit.ts", import.meta.url).href;

test("Linux' text of limits is read", () => {
  const text = `Limit                     Soft Limit           Hard Limit           Units
Max processes             63432                63432                processes
Max open files            1024                 524288               files
Max locked memory         8388608              8388608              bytes
`;
  expect(softLimitOf(text)).toBe("1024");
  expect(softLimitOf(text.replace("1024", "unlimited"))).toBe("unlimited");
  expect(softLimitOf("")).toBe(undefined);
});

test("it is a number of descriptors, whatever the system", () => {
  expect(descriptorLimit()).toBeGreaterThan(16);
});

test.runIf(process.platform !== "win32")("it is what the shell allowed", () => {
  const script = `import { descriptorLimit } from ${JSON.stringify(MODULE)}; console.log(descriptorLimit());`;
  const command = ["-c", 'ulimit -n 300; exec "$@"', "sh", process.execPath, "--input-type=module", "-e", script];
  expect(execFileSync("sh", command, { encoding: "utf8" }).trim()).toBe("300");
});
