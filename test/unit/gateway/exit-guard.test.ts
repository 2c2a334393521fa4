/** Real processes and real signals; the router is made of time. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { exitGuard, type Guarded } from "../../../sdk/src/gateway/exit-guard.ts";
import { ECHO_MS, ENDING_SIGNALS, exitCodeOf } from "../../../sdk/src/gateway/signals.ts";
import { SIGNAL_ARGV, SIGNAL_STDIO, signal } from "../../signals.ts";

const PROGRAM = fileURLToPath(new URL("guarded-program.ts", import.meta.url));
const STAYS = /^sallyport: UDP and TCP port 7777 stays open on the router until .*2100.*npx sallyport unmap 7777$/m;

/** Windows knows no death by a signal. */
const endedBy = (name: NodeJS.Signals): number | NodeJS.Signals =>
  process.platform === "win32" ? exitCodeOf(name) : name;

interface Ended {
  how: number | NodeJS.Signals;
  said: string[];
  stderr: string;
}

class Program {
  readonly said: string[] = [];
  readonly ended: Promise<Ended>;
  readonly #child;
  #stderr = "";
  #wake = Promise.withResolvers<void>();

  constructor(...argv: string[]) {
    this.#child = spawn(process.execPath, [...SIGNAL_ARGV, PROGRAM, ...argv], { stdio: SIGNAL_STDIO });
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error("pipes were asked for");
    stderr.on("data", (chunk: Buffer) => (this.#stderr += String(chunk)));
    createInterface({ input: stdout }).on("line", (line) => {
      this.said.push(line);
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    });
    this.ended = once(this.#child, "close").then(([code, signal]) => ({
      how: (code ?? signal) as number | NodeJS.Signals,
      said: this.said,
      stderr: this.#stderr,
    }));
  }

  static async start(...argv: string[]): Promise<Program> {
    const program = new Program(...argv);
    await program.line(/^ready/);
    return program;
  }

  async line(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = this.said.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      await this.#wake.promise;
    }
  }

  signal(name: NodeJS.Signals): void {
    signal(this.#child, name);
  }

  /** Nobody reads what it says. */
  leave(): void {
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }
}

describe.concurrent("what is open when the process ends", () => {
  test.for(ENDING_SIGNALS)("%s: it is closed, then the signal ends the process", async (name) => {
    const program = await Program.start();
    program.signal(name);
    expect(await program.ended).toMatchObject({ how: endedBy(name), stderr: "" });
    expect(program.said.slice(-2)).toEqual(["closing", "closed"]);
  });

  test.for([
    ["SIGINT", "SIGINT"],
    ["SIGTERM", "SIGTERM"],
    ["SIGINT", "SIGTERM"],
    ["SIGHUP", "SIGHUP"],
    ["SIGTERM", "SIGHUP"],
  ] as const)("%s %s within a second are one", async ([first, second]) => {
    const program = await Program.start("--takes", "400");
    program.signal(first);
    await program.line(/^closing/);
    program.signal(second);
    expect(await program.ended).toMatchObject({ how: endedBy(first), stderr: "" });
    expect(program.said.at(-1)).toBe("closed");
  });

  test("who insists after a second ends it, and is told what stays open", async () => {
    const program = await Program.start("--takes", "60000");
    program.signal("SIGINT");
    await program.line(/^closing/);
    await sleep(ECHO_MS + 50);
    program.signal("SIGTERM");
    expect(await program.ended).toMatchObject({ how: 143, stderr: expect.stringMatching(STAYS) });
  });

  test("a router that never answers holds the end up for seconds, not for ever", async () => {
    const program = await Program.start("--takes", "60000");
    program.signal("SIGHUP");
    await program.line(/^closing/);
    await sleep(ECHO_MS + 50);
    // A terminal that is closed twice is no insisting.
    program.signal("SIGHUP");
    expect(await program.ended).toMatchObject({ how: endedBy("SIGHUP"), stderr: expect.stringMatching(STAYS) });
  });

  test("a listener that is gone after the first signal has its time; the echo is swallowed", async () => {
    const program = await Program.start("--own", "once", "--before", String(ECHO_MS + 200));
    program.signal("SIGINT");
    await program.line(/^saving/);
    program.signal("SIGINT");
    expect(await program.ended).toMatchObject({ how: 0, stderr: "" });
    expect(program.said.slice(-5, -1)).toEqual(["saving", "saved", "closing", "closed"]);
  });

  test("so is an echo that comes when all is closed; then nobody listens any more", async () => {
    const program = await Program.start("--own", "once", "--takes", "0", "--after", String(ECHO_MS + 200));
    program.signal("SIGINT");
    await program.line(/^closed/);
    program.signal("SIGINT");
    expect(await program.ended).toMatchObject({ how: 0, stderr: "" });
    expect(program.said.at(-1)).toBe("listeners 0");
  });

  test("who insists while that one saves: it is closed at once, then the signal ends the process", async () => {
    const program = await Program.start("--own", "once", "--before", "60000");
    program.signal("SIGINT");
    await program.line(/^saving/);
    await sleep(ECHO_MS + 50);
    program.signal("SIGINT");
    expect(await program.ended).toMatchObject({ how: endedBy("SIGINT"), stderr: "" });
    expect(program.said.slice(-3)).toEqual(["saving", "closing", "closed"]);
  });

  test("who insists while that one closes ends it, and is told what stays open", async () => {
    const program = await Program.start("--own", "once", "--before", String(ECHO_MS + 200), "--takes", "60000");
    program.signal("SIGINT");
    await program.line(/^closing/);
    program.signal("SIGINT");
    expect(await program.ended).toMatchObject({ how: 130, stderr: expect.stringMatching(STAYS) });
  });

  test("where Ctrl-C opens a menu it does nothing else; another signal ends the process", async () => {
    const program = await Program.start("--own", "on");
    program.signal("SIGINT");
    await program.line(/^menu/);
    await sleep(ECHO_MS + 50);
    program.signal("SIGTERM");
    expect(await program.ended).toMatchObject({ how: endedBy("SIGTERM"), stderr: "" });
    expect(program.said.slice(-3)).toEqual(["menu", "closing", "closed"]);
  });

  test("where the program's own listener ends the process, it is said what stays open", async () => {
    const program = await Program.start("--own", "exit");
    program.signal("SIGINT");
    expect(await program.ended).toMatchObject({ how: 7, stderr: expect.stringMatching(STAYS) });
    expect(program.said).not.toContain("closing");
  });

  test("a program that comes to its end closes it", async () => {
    const program = await Program.start("--idle");
    expect(await program.ended).toMatchObject({ how: 0, stderr: "" });
    expect(program.said.at(-1)).toBe("closed");
  });

  test("signal-exit, which waits until nobody else listens, is not waited for", async () => {
    const program = await Program.start("--polite");
    program.signal("SIGINT");
    expect(await program.ended).toMatchObject({ how: endedBy("SIGINT"), stderr: "" });
    expect(program.said.slice(-3)).toEqual(["closing", "closed", "goodbye"]);
  });

  test("two copies of the package are one guard", async () => {
    const program = await Program.start("--copy");
    expect(await program.line(/^listeners/)).toBe("listeners 1");
    program.signal("SIGINT");
    expect(await program.ended).toMatchObject({ how: endedBy("SIGINT"), stderr: "" });
    expect(program.said.filter((line) => line === "closed")).toHaveLength(2);
  });

  test.for(["SIGHUP", "SIGINT"] as const)("%s: nobody reads any more, and still it is closed", async (name) => {
    const program = await Program.start("--chatty");
    program.leave();
    program.signal(name);
    // An error of standard output would make it 1.
    expect((await program.ended).how).toBe(endedBy(name));
  });

  test("a thread has no signals to listen to", async () => {
    const program = await Program.start();
    expect(await program.line(/^ready/)).toBe("ready, in a thread 0");
    program.signal("SIGKILL");
    await program.ended;
  });
});

test("one handler for all, and none when nothing is open", () => {
  const count = (): number[] => [...ENDING_SIGNALS, "beforeExit", "exit"].map((name) => process.listenerCount(name));
  const before = count();
  const all = Array.from(
    { length: 20 },
    (): Guarded => ({
      isClosing: () => false,
      close: async () => {},
      mappings: () => [],
    }),
  );
  for (const each of all) exitGuard.add(each);
  expect(count()).toEqual(before.map((n) => n + 1));
  for (const each of all) exitGuard.delete(each);
  expect(count()).toEqual(before);
});
