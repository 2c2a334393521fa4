/** Who has come to a shared port: each by an id that nobody else knows, so that it finds its flows again. */
import type { Socket } from "node:net";
import type { Session } from "../../session/types.ts";
import { WindowBudget } from "../streams/window.ts";
import type { TunnelPort } from "../wire/ports.ts";
import { TunnelWriter } from "../wire/protocol.ts";
import { dialProgram, udpTarget } from "./local-program.ts";
import { LoopbackSources } from "./loopback-sources.ts";
import { SharedGuest } from "./shared-guest.ts";

/** How long the flows of a guest wait who is gone: games give up after 5 to 30 s, ms. */
const KEPT_MS = 30_000;
/** Flows of all guests; each has a socket. */
const MAX_FLOWS = 2048;
/** What streams of all guests may make us hold. */
const STREAM_BYTES = 64 << 20;
const PRUNE_MS = 2_000;

export interface GuestsOptions {
  ports: readonly TunnelPort[];
  /** Where the local program is; undefined for this machine's loopback addresses. */
  address: string | undefined;
  maxGuests: number;
  now: () => number;
  onJoined: (guest: SharedGuest) => void;
  onPath: (guest: SharedGuest) => void;
  onLeft: (guest: SharedGuest) => void;
  /** A guest wanted to connect to this port, and nobody listens there. */
  onRefused: (port: number) => void;
  /** A new connection of a guest's to the local program: called before its first byte. */
  onDialed: (guest: SharedGuest, socket: Socket) => void;
}

export class Guests {
  readonly #options: GuestsOptions;
  readonly #byId = new Map<string, SharedGuest>();
  readonly #sources = new LoopbackSources();
  readonly #windows = new WindowBudget(STREAM_BYTES);
  readonly #writer = new TunnelWriter();
  readonly #timer: NodeJS.Timeout;
  #count = 0;

  constructor(options: GuestsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#prune(), PRUNE_MS).unref();
  }

  /** Those that are in. */
  get present(): SharedGuest[] {
    return [...this.#byId.values()].filter(({ session }) => session !== undefined);
  }

  /** Whether this guest may come in. */
  hasRoom(id: string): boolean {
    const isIn = this.#byId.get(id)?.session !== undefined;
    return isIn || this.present.length < this.#options.maxGuests;
  }

  /** @param id as the guest names itself */
  add(id: string, session: Session): void {
    const known = this.#byId.get(id);
    const guest = known ?? this.#newGuest(id, session);
    const isNew = known?.session === undefined;
    guest.attach(session);
    session.onPath = () => {
      const { path, remote } = guest;
      guest.look();
      if (guest.path !== path || guest.remote !== remote) this.#options.onPath(guest);
    };
    session.onClose = () => {
      if (guest.session !== session) return;
      guest.detach();
      this.#options.onLeft(guest);
    };
    if (isNew) this.#options.onJoined(guest);
    else this.#options.onPath(guest);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const guest of this.#byId.values()) guest.close();
    this.#byId.clear();
  }

  #newGuest(id: string, session: Session): SharedGuest {
    const { ports, address, now } = this.#options;
    const guest = new SharedGuest({
      number: ++this.#count,
      source: this.#sources.take(session.remote.address),
      windows: this.#windows,
      writer: this.#writer,
      now,
      target: (index) => {
        const shared = ports[index];
        if (shared?.protocol !== "udp") return undefined;
        return { address: udpTarget(shared.port, address), port: shared.port };
      },
      mayOpen: () => this.#countFlows() < MAX_FLOWS,
      dial: (index, from) => {
        const shared = ports[index];
        return shared?.protocol === "tcp" ? this.#dial(shared.port, from) : undefined;
      },
    });
    this.#byId.set(id, guest);
    this.#makeRoom();
    return guest;
  }

  async #dial(port: number, guest: SharedGuest): Promise<Socket> {
    const { address, onRefused, onDialed } = this.#options;
    try {
      const socket = await dialProgram(port, address, guest.source);
      onDialed(guest, socket);
      return socket;
    } catch (error) {
      onRefused(port);
      throw error;
    }
  }

  #countFlows(): number {
    let count = 0;
    for (const { flows } of this.#byId.values()) count += flows.size;
    return count;
  }

  /** Whoever comes under ever new ids leaves no more behind than as many again as may be in. */
  #makeRoom(): void {
    for (const [id, guest] of this.#byId) {
      if (this.#byId.size <= 2 * this.#options.maxGuests) return;
      if (guest.leftAt !== undefined) this.#forget(id, guest);
    }
  }

  #prune(): void {
    const until = this.#options.now() - KEPT_MS;
    for (const [id, guest] of this.#byId) {
      guest.flows.prune();
      if (guest.leftAt !== undefined && guest.leftAt <= until) this.#forget(id, guest);
    }
  }

  #forget(id: string, guest: SharedGuest): void {
    guest.close();
    this.#sources.give(guest.source);
    this.#byId.delete(id);
  }
}
