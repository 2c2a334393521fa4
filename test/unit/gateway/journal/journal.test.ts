import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, uptime } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { PortRequest } from "../../../../sdk/src/gateway/gateway.ts";
import { Journal, type JournalEntry, stateDirectory } from "../../../../sdk/src/gateway/journal/journal.ts";
import { JournalKeeper } from "../../../../sdk/src/gateway/journal/journal-keeper.ts";
import { lock } from "../../../../sdk/src/gateway/journal/lock.ts";
import { isAlive, type Owner, self } from "../../../../sdk/src/gateway/journal/owner.ts";
import { systemClock } from "../../../../sdk/src/net/clock.ts";
import { FakeClock, FakeGateway } from "../fake.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sallyport-journal-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const REQUEST: PortRequest = {
  transport: "udp",
  internalPort: 7777,
  externalPort: 7777,
  exact: true,
  lifetimeSeconds: 7200,
  description: "Arena",
};

function entry(more: Partial<JournalEntry> = {}): JournalEntry {
  return {
    via: "upnp",
    gateway: "192.168.1.1",
    localAddress: "192.168.1.10",
    transport: "udp",
    internalPort: 7777,
    externalPort: 7777,
    description: "Arena",
    expiresAt: 0,
    writtenAt: Date.now(),
    ...more,
  };
}

/** A file as a process leaves it that is gone: number 1 lives, but began at another time. */
function leave(entries: readonly unknown[], owner = { pid: 1, start: "00000000-1" }): string {
  const path = join(directory, `mappings-${owner.pid}-${owner.start}.0.json`);
  writeFileSync(path, JSON.stringify({ owner, entries }));
  return path;
}

test("a process is told apart from a later one of the same number", () => {
  const file = join(directory, "mappings-1-1.0.json");
  expect(isAlive(self, file)).toBe(true);
  expect(isAlive({ pid: self.pid, start: "" }, file)).toBe(false);
  expect(isAlive({ pid: 2 ** 22 + 12_345, start: "" }, file)).toBe(false);
});

/** A program of ours that keeps a port on record, and a lock, until it is ended. */
async function holder(): Promise<{ pid: number; kill: () => Promise<void> }> {
  const module = (name: string): string =>
    JSON.stringify(new URL(`../../../../sdk/src/${name}.ts`, import.meta.url).href);
  const script = `
    import { Journal } from ${module("gateway/journal/journal")};
    import { lock } from ${module("gateway/journal/lock")};
    import { systemClock } from ${module("net/clock")};
    Journal.at(process.argv[1]).write(${JSON.stringify(entry())});
    await lock(process.argv[1], "gateway", systemClock, new AbortController().signal);
    console.log("holding");
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script, directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await once(child, "exit");
  };
  return { pid: child.pid ?? 0, kill };
}

test("a living process' entries and lock are left alone; those of one whose number another has are not", async () => {
  const dead = await holder();
  const journal = Journal.at(directory);
  expect(journal.orphans(Date.now())).toEqual([]);
  expect(journal.everything()).toMatchObject([{ pid: dead.pid }]);
  await dead.kill();
  // What has the number by now: a process that has nothing to do with it.
  const heir = spawn(process.execPath, ["-e", "setInterval(() => undefined, 1000)"]);
  await once(heir, "spawn");
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    if (name.startsWith("lock-")) {
      const owner = JSON.parse(readFileSync(path, "utf8")) as Owner;
      writeFileSync(path, JSON.stringify({ ...owner, pid: heir.pid }));
    } else renameSync(path, join(directory, name.replace(`-${dead.pid}-`, `-${heir.pid}-`)));
  }
  const orphans = journal.orphans(Date.now());
  expect(orphans.map((orphan) => orphan.entry.externalPort)).toEqual([7777]);
  using _lock = await lock(directory, "gateway", systemClock, AbortSignal.timeout(10_000));
  for (const orphan of orphans) orphan.settle();
  expect(readdirSync(directory).filter((name) => name !== "lock-gateway" && !name.startsWith("alive-"))).toEqual([]);
  heir.kill("SIGKILL");
  await once(heir, "exit");
});

test("what 0.1.0 left is read: its processes are gone when they wrote before the boot", () => {
  // As it names its files where the system tells no start, here with the number of a process that lives.
  const path = join(directory, `mappings-${process.ppid}-0.0.json`);
  const { shownAs: _, ...old } = entry({ via: "pcp", nonce: "07".repeat(12) });
  writeFileSync(path, JSON.stringify({ owner: { pid: process.ppid, start: "" }, entries: [old] }));
  expect(Journal.at(directory).everything()).toMatchObject([{ pid: process.ppid, entry: { nonce: "07".repeat(12) } }]);
  expect(Journal.at(directory).orphans(Date.now())).toEqual([]);
  const beforeBoot = Date.now() / 1000 - uptime() - 3600;
  utimesSync(path, beforeBoot, beforeBoot);
  // On Linux it has told the start, and is believed.
  const left = process.platform === "linux" ? [] : [7777];
  expect(
    Journal.at(directory)
      .orphans(Date.now())
      .map((orphan) => orphan.entry.externalPort),
  ).toEqual(left);
});

test("somebody has the file open: what is written is kept", () => {
  const journal = Journal.at(directory);
  journal.write(entry());
  const [name = ""] = readdirSync(directory).filter((each) => each.startsWith("mappings-"));
  const reader = openSync(join(directory, name), "r");
  journal.write(entry({ transport: "tcp" }));
  const kept = JSON.parse(readFileSync(join(directory, name), "utf8")) as { entries: unknown[] };
  expect(kept.entries).toHaveLength(2);
  closeSync(reader);
  journal.erase(entry());
  journal.erase(entry({ transport: "tcp" }));
  expect(readdirSync(directory)).toEqual([]);
});

test("a state folder that cannot be written is said", () => {
  writeFileSync(join(directory, "file"), "");
  const journal = Journal.at(join(directory, "file", "state"));
  expect(journal.problem).toBeUndefined();
  journal.write(entry());
  expect(journal.problem).toMatch(/state cannot be written \((?:ENOTDIR|EEXIST|ENOENT)\): what a crash leaves/);
  journal.erase(entry());
});

test("written, erased, and the file goes with the last entry", () => {
  const journal = Journal.at(directory);
  journal.write(entry());
  journal.write(entry({ transport: "tcp" }));
  expect(readdirSync(directory).filter((name) => name.startsWith("mappings-")).length).toBe(1);
  expect(journal.isClaimed(entry())).toBe(true);
  expect(journal.orphans(Date.now())).toEqual([]);
  journal.erase(entry());
  journal.erase(entry({ transport: "tcp" }));
  expect(readdirSync(directory)).toEqual([]);
});

test("what a dead process left is an orphan until it is settled; what lapsed is none", () => {
  const path = leave([
    entry(),
    entry({ externalPort: 8888, expiresAt: Date.now() - 1 }),
    entry({ externalPort: 9999 }),
  ]);
  const orphans = Journal.at(directory).orphans(Date.now());
  expect(orphans.map((orphan) => orphan.entry.externalPort)).toEqual([7777, 9999]);
  for (const orphan of orphans) orphan.settle();
  expect(existsSync(path)).toBe(false);
});

test("files that are no journal are no harm", () => {
  writeFileSync(join(directory, "mappings-1-00000000-1.0.json"), "{not json");
  writeFileSync(join(directory, "mappings-1-00000000-2.0.json"), '{"entries": 5}');
  writeFileSync(join(directory, "something-else"), "x");
  leave([{ via: "telnet" }, null, 7, entry({ externalPort: 70_000 }), entry({ nonce: "zz" })], {
    pid: 1,
    start: "00000000-3",
  });
  expect(Journal.at(directory).orphans(Date.now())).toEqual([]);
  expect(readdirSync(directory)).toEqual(["something-else"]);
});

test("the next start removes what is left at its gateway, before it asks for anything", async () => {
  const clock = new FakeClock();
  const gateway = new FakeGateway(clock);
  gateway.rows.set("udp 7777", { owner: "us", internalPort: 7777 });
  leave([entry({ writtenAt: clock.unixNow() }), entry({ gateway: "10.0.0.1", writtenAt: clock.unixNow() })]);
  const keeper = new JournalKeeper(directory, clock);
  using _lock = await keeper.lock(gateway, new AbortController().signal);
  expect(gateway.asked).toEqual(["release udp 7777"]);
  expect(gateway.rows.size).toBe(0);
  // Another network's entry waits for that network.
  expect(Journal.at(directory).orphans(clock.unixNow()).length).toBe(1);
});

test("what a living process has by now is not removed for a dead one", async () => {
  const clock = new FakeClock();
  const gateway = new FakeGateway(clock);
  const keeper = new JournalKeeper(directory, clock);
  expect(keeper.claim(gateway, REQUEST)).toBe(true);
  leave([entry({ writtenAt: clock.unixNow() })]);
  await keeper.cleanUpOrphans(gateway, new AbortController().signal);
  expect(gateway.asked).toEqual([]);
  expect(Journal.at(directory).orphans(clock.unixNow())).toEqual([]);
  keeper.forget(gateway, REQUEST);
});

test("an orphan whose gateway does not answer is kept for the next start", async () => {
  const clock = new FakeClock();
  const gateway = new FakeGateway(clock);
  gateway.silent = true;
  leave([entry({ writtenAt: clock.unixNow() })]);
  await new JournalKeeper(directory, clock).cleanUpOrphans(gateway, new AbortController().signal);
  expect(Journal.at(directory).orphans(clock.unixNow()).length).toBe(1);
});

test("the entry is on disk before the gateway is asked, with PCP's nonce", async () => {
  const keeper = new JournalKeeper(directory, new FakeClock());
  const gateway = new FakeGateway(new FakeClock(), "pcp");
  keeper.claim(gateway, { ...REQUEST, nonce: new Uint8Array(12).fill(7) });
  expect(Journal.at(directory).everything()).toMatchObject([
    { pid: process.pid, entry: { via: "pcp", nonce: "07".repeat(12) } },
  ]);
  keeper.forget(gateway, REQUEST);
});

test("one at a time, in this process", async () => {
  let inside = 0;
  let most = 0;
  const { signal } = new AbortController();
  const work = async (): Promise<void> => {
    using _lock = await lock(directory, "gateway", systemClock, signal);
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setImmediate(resolve));
    inside--;
  };
  await Promise.all(Array.from({ length: 20 }, work));
  expect(most).toBe(1);
  expect(readdirSync(directory)).toEqual([]);
});

test("one at a time, among processes; the lock of one that died is broken", async () => {
  const script = `
    import { appendFileSync } from "node:fs";
    import { lock } from ${JSON.stringify(new URL("../../../../sdk/src/gateway/journal/lock.ts", import.meta.url).href)};
    import { systemClock } from ${JSON.stringify(new URL("../../../../sdk/src/net/clock.ts", import.meta.url).href)};
    const hold = setInterval(() => undefined, 1000);
    for (let i = 0; i < 20; i++) {
      const held = await lock(process.argv[1], "gateway", systemClock, new AbortController().signal);
      appendFileSync(process.argv[1] + "/log", "<");
      await new Promise((resolve) => setTimeout(resolve, 1));
      appendFileSync(process.argv[1] + "/log", ">");
      if (process.argv[2] === "die" && i === 5) process.kill(process.pid, "SIGKILL");
      held[Symbol.dispose]();
    }
    clearInterval(hold);`;
  const run = (how: string): Promise<unknown> =>
    once(
      spawn(process.execPath, ["--input-type=module-typescript", "-e", script, directory, how], { stdio: "inherit" }),
      "exit",
    );
  const ends = await Promise.all([run("live"), run("die"), run("live")]);
  // Windows knows no signals.
  const died = process.platform === "win32" ? [1, null] : [null, "SIGKILL"];
  expect(ends).toEqual([[0, null], died, [0, null]]);
  expect(readFileSync(join(directory, "log"), "utf8")).toBe("<>".repeat(46));
});

test("where the journal stands", () => {
  expect(stateDirectory({ XDG_STATE_HOME: "/x" })).toBe(join("/x", "sallyport"));
  expect(stateDirectory({})).toMatch(/sallyport$/);
});
