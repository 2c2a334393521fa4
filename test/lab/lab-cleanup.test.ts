import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { Lab } from "./lab/index.ts";
import { isInside, namespaces, shell } from "./lab/netns.ts";
import { describeLab } from "./lab/vitest.ts";

const MAKES_A_LAB = new URL("modules/makes-a-lab.ts", import.meta.url);

describeLab("nothing of a lab is left", () => {
  /** Runs it? A zombie, which some container's init has not yet taken away, does not. */
  function isAlive(pid: number): boolean {
    return existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  }

  function expectNothingLeft(prefix: string, pid: number): void {
    expect(namespaces(prefix)).toEqual([]);
    expect(existsSync(join(tmpdir(), prefix))).toBe(false);
    expect(isAlive(pid)).toBe(false);
  }

  test("after dispose", async () => {
    const lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2 } });
    const host = await gateway.host();
    expect(namespaces(lab.prefix)).toHaveLength(3);
    expect(existsSync(join(tmpdir(), lab.prefix))).toBe(true);
    // Some of them have not yet entered their namespace when the lab is removed.
    const children = Array.from({ length: 20 }, () => host.spawn(["sleep", "1000"]));
    await lab[Symbol.asyncDispose]();
    for (const child of children) {
      expect(child.ended).toBe(true);
      expectNothingLeft(lab.prefix, child.pid);
    }
  });

  test.each(["SIGINT", "SIGTERM", "SIGKILL"] as const)("after %s", async (signal) => {
    const child = spawn(process.execPath, [fileURLToPath(MAKES_A_LAB)], { stdio: ["ignore", "pipe", "inherit"] });
    const exited = new Promise((resolve) => child.once("exit", (_code, by) => resolve(by)));
    let made = { prefix: "", pid: 0 };
    for await (const line of createInterface({ input: child.stdout })) {
      made = JSON.parse(line) as typeof made;
      expect(namespaces(made.prefix)).toHaveLength(3);
      expect(isAlive(made.pid)).toBe(true);
      child.kill(signal);
    }
    expect(await exited).toBe(signal);
    await expect.poll(() => isAlive(made.pid)).toBe(false);
    await expect.poll(() => existsSync(join(tmpdir(), made.prefix))).toBe(false);
    expectNothingLeft(made.prefix, made.pid);
  });

  test("of a dead process, when the next lab is made", async () => {
    const dead = spawn("true");
    await new Promise((resolve) => dead.once("exit", resolve));
    const prefix = `splab-${dead.pid}-0-0`;
    const namespace = `${prefix}-gw1`;
    await shell(`ip netns add ${namespace}; mkdir ${join(tmpdir(), prefix)}`);
    const child = spawn("ip", ["netns", "exec", namespace, "sleep", "1000"]);
    const killed = new Promise((resolve) => child.once("exit", (_code, signal) => resolve(signal)));
    await expect.poll(() => isInside(child.pid ?? 0, namespace)).toBe(true);
    await using _next = await Lab.create();
    expect(await killed).toBe("SIGKILL");
    expectNothingLeft(prefix, child.pid ?? 0);
  });
});
