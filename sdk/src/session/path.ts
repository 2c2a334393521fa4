import { type Endpoint, NOWHERE } from "../net/endpoint.ts";
import { traceOf } from "../net/trace.ts";

const trace = traceOf("session");

/** `direct`: dialed as it is; `punched`: both sides had to send first; `relayed`: through TURN. */
export type SessionPathKind = "direct" | "punched" | "relayed";

/** Where a path leads at the moment. */
export interface SessionPathState {
  readonly kind: SessionPathKind;
  readonly remote: Endpoint;
}

/** One of the ways that were tried for a path: ICE's pairs. */
export interface SessionPathPair {
  /** Our socket, or the id of our relay. */
  readonly via: string;
  /** The peer's address and port. */
  readonly remote: Endpoint;
  /** What the peer sees us as: `host`, `mapped`, `reflexive`, `peer-reflexive`, `relayed`. */
  readonly localType: string;
  /** What the peer's end is, in the same words. */
  readonly remoteType: string;
  /** `waiting`, `in-progress`, `succeeded`, `failed` (RFC 8445 section 6.1.2.6). */
  readonly state: string;
  /** Whether it is the one in use. */
  readonly selected: boolean;
  /** Of the selected one: why it, and not another that answers. */
  readonly why?: string;
  /** 0 before the first answer. */
  readonly rttMs: number;
}

/** A way to one peer that may change under the session, as ICE's does. */
export interface SessionPath {
  /** Null while there is no way. */
  readonly path: SessionPathState | null;
  /** False when it cannot leave. `data` may be reused at once. */
  send(data: Uint8Array): boolean;
  /** For diagnosis, best first. */
  pairs?(): readonly SessionPathPair[];
  /** Answers false for what is not the peer's after all, which others may take then. */
  onData: ((data: Buffer) => unknown) | null;
  /**
   * A datagram of the peer's, so many bytes long, came from an address that the path does not know, outside of it: where the path can,
   * it finds out whether the peer is there now.
   */
  strayed?(address: string, port: number, bytes: number): void;
  onPath: ((path: never, previous: never) => void) | null;
  close(): void;
}

/** A path whose peer is awaited or connected. */
export class PathEntry {
  /** How netcode calls it. */
  readonly name: string;
  readonly path: SessionPath;
  /** What stands on it, once its peer is connected. */
  session: { moved(): void } | null = null;

  constructor(name: string, path: SessionPath) {
    this.name = name;
    this.path = path;
    path.onPath = () => this.session?.moved();
  }

  get remote(): Endpoint {
    return this.path.path?.remote ?? NOWHERE;
  }

  get kind(): SessionPathKind {
    return this.path.path?.kind ?? "direct";
  }
}

/**
 * Paths stand beside plain addresses in netcode's table of sources, under names that are no addresses: a path's peer stays
 * who it is while its addresses change.
 */
export class PathTable {
  readonly #entries = new Map<string, PathEntry>();
  #count = 0;

  /** Closed when nobody came by it within `timeoutMs`. */
  add(path: SessionPath, timeoutMs: number): PathEntry {
    const entry = new PathEntry(`path:${++this.#count}`, path);
    this.#entries.set(entry.name, entry);
    setTimeout(() => {
      if (entry.session !== null || !this.#entries.has(entry.name)) return;
      if (trace.on) trace.event("path-given-up", { path: entry.name, timeoutMs });
      this.remove(entry);
    }, timeoutMs).unref();
    return entry;
  }

  /** Null for what is a plain address. */
  get(address: string, port: number): PathEntry | null {
    return port === PATH_PORT ? (this.#entries.get(address) ?? null) : null;
  }

  remove(entry: PathEntry): void {
    if (this.#entries.delete(entry.name)) entry.path.close();
  }

  clear(): void {
    for (const entry of this.#entries.values()) this.remove(entry);
  }
}

/** The port that goes with a path's name. */
export const PATH_PORT = 1;
