import { readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { threadId } from "node:worker_threads";
import type { ShownAs } from "../gateway.ts";
import type { Transport, Via } from "../types.ts";
import { remove, writeWhole } from "./files.ts";
import { isAlive, type Owner, presencePath, self, showPresence } from "./owner.ts";
import { isPresent } from "./presence.ts";

/** A mapping that a process has, or may have, at a gateway. */
export interface JournalEntry {
  via: Via;
  /** The gateway's address on the LAN. */
  gateway: string;
  localAddress: string;
  transport: Transport;
  internalPort: number;
  externalPort: number;
  description: string;
  /** PCP's, hexadecimal: without it the mapping cannot be deleted. */
  nonce?: string | undefined;
  /** How the router's table shows it (UPnP). */
  shownAs?: ShownAs | undefined;
  /** Unix milliseconds, 0 for never. */
  expiresAt: number;
  /** Unix milliseconds. */
  writtenAt: number;
}

/** Entries of one process that are read. */
const MAX_ENTRIES = 1024;
const MAX_FILE = 1024 * 1024;
/** An entry at a router that was not met again for this long is dropped. */
const MAX_AGE_MS = 90 * 86_400_000;

/** Where mappings are remembered: in `XDG_STATE_HOME`, else where the system keeps such state. */
export function stateDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const base =
    environment["XDG_STATE_HOME"] ||
    (process.platform === "win32" ? environment["LOCALAPPDATA"] : undefined) ||
    join(homedir(), ".local", "state");
  return join(base, "sallyport");
}

/** What tells entries apart. */
export function keyOf({
  gateway,
  transport,
  externalPort,
  via,
}: Pick<JournalEntry, "gateway" | "transport" | "externalPort" | "via">): string {
  return `${via} ${gateway} ${transport} ${externalPort}`;
}

/** An entry whose process is gone. */
export interface Orphan {
  readonly entry: JournalEntry;
  /** Crosses it out. */
  settle: () => void;
}

/**
 * The mappings of all processes of this user on this machine, one file per process (and worker thread), so that no process waits for another.
 * A process writes only its own file; a dead process' file belongs to the holder of the gateway's lock.
 */
export class Journal {
  readonly directory: string;
  readonly #file: string;
  readonly #entries = new Map<string, JournalEntry>();
  #presence: Disposable | undefined;
  #problem: NodeJS.ErrnoException | undefined;

  private constructor(directory: string) {
    this.directory = directory;
    this.#file = join(directory, `mappings-${self.pid}-${self.start || "0"}.${threadId}.json`);
  }

  static readonly #open = new Map<string, Journal>();

  /** One per directory and process, since a process has one file. */
  static at(directory: string): Journal {
    const path = resolve(directory);
    let journal = Journal.#open.get(path);
    if (!journal) Journal.#open.set(path, (journal = new Journal(path)));
    return journal;
  }

  /** Why what is written here is not kept, in words for the person who hosts; `undefined` when all is well. */
  get problem(): string | undefined {
    return this.#problem === undefined
      ? undefined
      : `${this.directory} cannot be written (${this.#problem.code}): what a crash leaves open on the router stays open until its lease ends`;
  }

  /** Written before the gateway is asked, so that a crash between question and answer leaves a trace. */
  write(entry: JournalEntry): void {
    this.#entries.set(keyOf(entry), entry);
    this.#save();
  }

  erase(entry: Pick<JournalEntry, "gateway" | "transport" | "externalPort" | "via">): void {
    if (this.#entries.delete(keyOf(entry))) this.#save();
  }

  /** Whether a running process, this one too, has or may have this port at this gateway. */
  isClaimed({ gateway, localAddress, transport, externalPort }: JournalEntry): boolean {
    const same = (entry: JournalEntry): boolean =>
      entry.gateway === gateway &&
      entry.localAddress === localAddress &&
      entry.transport === transport &&
      entry.externalPort === externalPort;
    if ([...this.#entries.values()].some(same)) return true;
    return this.#others().some(({ path, owner, entries }) => isAlive(owner, path) && entries.some(same));
  }

  /** Every entry of every process, with the id of the process if it runs. */
  everything(): { entry: JournalEntry; pid: number | undefined }[] {
    const own = [...this.#entries.values()].map((entry) => ({ entry, pid: self.pid as number | undefined }));
    return [
      ...own,
      ...this.#others().flatMap(({ path, owner, entries }) => {
        const pid = isAlive(owner, path) ? owner.pid : undefined;
        return entries.map((entry) => ({ entry, pid }));
      }),
    ];
  }

  /** What dead processes left. Entries that have lapsed are crossed out on the way. */
  orphans(unixNow: number): Orphan[] {
    const orphans: Orphan[] = [];
    this.#sweep();
    for (const { path, owner, entries } of this.#others()) {
      if (isAlive(owner, path)) continue;
      const open = new Set(
        entries.filter(
          ({ expiresAt, writtenAt }) => (expiresAt === 0 || expiresAt > unixNow) && writtenAt > unixNow - MAX_AGE_MS,
        ),
      );
      const store = (): void => {
        if (open.size > 0) writeWhole(path, { owner, entries: [...open] });
        else if (remove(path)) remove(presencePath(this.directory, owner));
        else writeWhole(path, { owner, entries: [] });
      };
      if (open.size === 0) store();
      for (const entry of open) {
        orphans.push({
          entry,
          settle: () => {
            open.delete(entry);
            store();
          },
        });
      }
    }
    return orphans;
  }

  #others(): { path: string; owner: Owner; entries: JournalEntry[] }[] {
    const found: { path: string; owner: Owner; entries: JournalEntry[] }[] = [];
    for (const name of this.#names()) {
      const path = join(this.directory, name);
      const named = /^mappings-(\d{1,10})-([0-9a-f-]{1,64})\.\d{1,6}\.json$/.exec(name);
      if (!named || path === this.#file) continue;
      const owner: Owner = { pid: Number(named[1]), start: named[2] === "0" ? "" : (named[2] ?? "") };
      const entries = readEntries(path);
      if (entries !== undefined) found.push({ path, owner, entries });
    }
    return found;
  }

  #names(): string[] {
    try {
      return readdirSync(this.directory);
    } catch {
      return [];
    }
  }

  /** Removes what processes left that died without entries. */
  #sweep(): void {
    const names = this.#names();
    for (const name of names) {
      const [, owner] = /^alive-(\d{1,10}-[0-9a-f-]{1,64})$/.exec(name) ?? [];
      if (owner === undefined || names.some((other) => other.startsWith(`mappings-${owner}.`))) continue;
      const path = join(this.directory, name);
      if (isPresent(path) === false) remove(path);
    }
  }

  #save(): void {
    const entries = [...this.#entries.values()];
    // Before the file is there, and until it is gone.
    if (entries.length > 0) this.#presence ??= showPresence(this.directory);
    if (entries.length > 0 || !remove(this.#file)) this.#problem = writeWhole(this.#file, { owner: self, entries });
    if (entries.length > 0) return;
    this.#presence?.[Symbol.dispose]();
    this.#presence = undefined;
  }
}

/** `undefined`: it is gone, or cannot be read now. */
function readEntries(path: string): JournalEntry[] | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  try {
    if (text.length > MAX_FILE) return [];
    const content: unknown = JSON.parse(text);
    const entries = (content as { entries?: unknown }).entries;
    return Array.isArray(entries) ? entries.slice(0, MAX_ENTRIES).filter(isEntry) : [];
  } catch {
    return [];
  }
}

function isEntry(value: unknown): value is JournalEntry {
  if (typeof value !== "object" || value === null) return false;
  const entry = value as Record<keyof JournalEntry, unknown>;
  const isPort = (port: unknown): boolean =>
    Number.isInteger(port) && (port as number) > 0 && (port as number) <= 65535;
  return (
    (entry.via === "pcp" || entry.via === "nat-pmp" || entry.via === "upnp") &&
    (entry.transport === "udp" || entry.transport === "tcp") &&
    [entry.gateway, entry.localAddress, entry.description].every((text) => typeof text === "string") &&
    isPort(entry.internalPort) &&
    isPort(entry.externalPort) &&
    [entry.expiresAt, entry.writtenAt].every((time) => typeof time === "number") &&
    (entry.nonce === undefined || (typeof entry.nonce === "string" && /^[0-9a-f]{24}$/.test(entry.nonce))) &&
    (entry.shownAs === undefined || isShownAs(entry.shownAs))
  );
}

function isShownAs(value: unknown): value is ShownAs {
  if (typeof value !== "object" || value === null) return false;
  const { client, description } = value as Record<keyof ShownAs, unknown>;
  return [client, description].every((text) => typeof text === "string" && text.length <= 256);
}
