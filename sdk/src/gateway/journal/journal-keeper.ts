import type { Clock } from "../../net/clock.ts";
import { traceOf } from "../../net/trace.ts";
import type { Gateway, Lease, PortRequest } from "../gateway.ts";
import type { Via } from "../types.ts";
import { Journal, type JournalEntry, keyOf, type Orphan } from "./journal.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { lock } from "./lock.ts";

const trace = traceOf("gateway");

/**
 * Milliseconds for an orphan. A router that is there answers PCP and NAT-PMP at once; UPnP takes several requests. What is not
 * answered must not hold up those who wait for the lock.
 */
const ORPHAN_TIMEOUT_MS: Readonly<Record<Via, number>> = { pcp: 800, "nat-pmp": 800, upnp: 2500 };

/** Records every lease in the {@link Journal}, and locks a router among all processes on this computer. */
export class JournalKeeper extends LeaseKeeper {
  readonly #journal: Journal;
  readonly #clock: Clock;
  /** Orphans whose removal was not confirmed: they are tried for later. */
  readonly #unanswered = new Set<string>();

  constructor(directory: string, clock: Clock) {
    super();
    this.#journal = Journal.at(directory);
    this.#clock = clock;
  }

  override get problem(): string | undefined {
    return this.#journal.problem;
  }

  async lock(gateway: Gateway, signal: AbortSignal): Promise<Disposable> {
    const held = await lock(this.#journal.directory, gateway.info.address, this.#clock, signal);
    // Does not throw: an orphan that cannot be removed is left for the next start.
    await this.removeOrphans(gateway, signal);
    return held;
  }

  claim(gateway: Gateway, request: PortRequest): boolean {
    if (this.#isTaken(gateway, request)) return false;
    // Until the answer is known the requested lifetime counts.
    const expiresAt = request.lifetimeSeconds === 0 ? 0 : this.#clock.unixNow() + request.lifetimeSeconds * 1000;
    this.#journal.write(this.#entry(gateway, request, expiresAt));
    return true;
  }

  granted(gateway: Gateway, lease: Lease, asked: Pick<PortRequest, "externalPort">): void {
    if (lease.externalPort !== asked.externalPort)
      this.forget(gateway, { transport: lease.transport, externalPort: asked.externalPort });
    this.#journal.write(this.#entry(gateway, lease, lease.expiresAt));
  }

  forget({ info }: Gateway, { transport, externalPort }: Pick<PortRequest, "transport" | "externalPort">): void {
    this.#journal.erase({ via: info.via, gateway: info.address, transport, externalPort });
  }

  async cleanUpOrphans(gateway: Gateway, signal: AbortSignal): Promise<boolean> {
    if (this.#orphansOf(gateway).length === 0) return false;
    // A second call tries again for what was not answered at the first.
    for (const { entry } of this.#orphansOf(gateway)) this.#unanswered.delete(keyOf(entry));
    try {
      // The lock's holder removes them first of all.
      using _lock = await this.lock(gateway, signal);
    } catch {
      // Aborted: they wait for the next start.
    }
    return this.#orphansOf(gateway).length > 0;
  }

  /** Removes what dead processes left at this gateway, where it is still ours and no running process has it. */
  async removeOrphans(gateway: Gateway, signal: AbortSignal): Promise<boolean> {
    let removed = false;
    let isSilent = false;
    for (const { entry, settle } of this.#orphansOf(gateway)) {
      if (signal.aborted) break;
      // A gateway that is silent once will be silent again.
      if (isSilent) this.#unanswered.add(keyOf(entry));
      if (this.#unanswered.has(keyOf(entry))) continue;
      if (this.#journal.isClaimed(entry)) {
        settle();
        continue;
      }
      const limit = AbortSignal.any([signal, AbortSignal.timeout(ORPHAN_TIMEOUT_MS[entry.via])]);
      const isGone = await gateway.release(asLease(entry), limit).catch(() => false);
      if (trace.on) {
        const { via, transport, externalPort } = entry;
        trace.event("orphan", { via, gateway: entry.gateway, transport, externalPort, removed: isGone });
      }
      if (isGone) {
        settle();
        removed = true;
        continue;
      }
      this.#unanswered.add(keyOf(entry));
      isSilent = limit.aborted;
    }
    return removed;
  }

  /** Whether another program on this computer has the port there, whatever the router may say. */
  #isTaken({ info, localAddress }: Gateway, { transport, internalPort, externalPort }: PortRequest): boolean {
    return this.#journal
      .everything()
      .some(
        ({ entry, pid }) =>
          pid !== undefined &&
          entry.gateway === info.address &&
          entry.localAddress === localAddress &&
          entry.transport === transport &&
          entry.externalPort === externalPort &&
          entry.internalPort !== internalPort,
      );
  }

  #orphansOf({ info, localAddress }: Gateway): Orphan[] {
    return this.#journal
      .orphans(this.#clock.unixNow())
      .filter(
        ({ entry }) => entry.via === info.via && entry.gateway === info.address && entry.localAddress === localAddress,
      );
  }

  #entry(
    { info, localAddress }: Gateway,
    { transport, internalPort, externalPort, description, nonce, shownAs }: PortRequest | Lease,
    expiresAt: number,
  ): JournalEntry {
    return {
      via: info.via,
      gateway: info.address,
      localAddress,
      transport,
      internalPort,
      externalPort,
      description,
      expiresAt,
      writtenAt: this.#clock.unixNow(),
      ...(nonce === undefined ? {} : { nonce: Buffer.from(nonce).toString("hex") }),
      ...(shownAs === undefined ? {} : { shownAs }),
    };
  }
}

function asLease({
  transport,
  localAddress,
  internalPort,
  externalPort,
  description,
  expiresAt,
  nonce,
  shownAs,
}: JournalEntry): Lease {
  return {
    transport,
    internalAddress: localAddress,
    internalPort,
    externalAddress: "",
    externalPort,
    description,
    lifetimeSeconds: 0,
    expiresAt,
    verified: false,
    nonce: nonce === undefined ? undefined : new Uint8Array(Buffer.from(nonce, "hex")),
    shownAs,
    isRecalled: true,
  };
}
