import type { Clock } from "../../net/clock.ts";
import { type LeaseKeeper, RELEASE_TIMEOUT } from "../establish.ts";
import type { Gateway, Lease, Wish } from "../gateway.ts";
import type { Transport } from "../types.ts";
import { Journal, type JournalEntry } from "./journal.ts";
import { exclusively } from "./lock.ts";

/** Keeps the {@link Journal} of everything that is asked of gateways, and one lock per gateway for this host. */
export class JournalKeeper implements LeaseKeeper {
  readonly #journal: Journal;
  readonly #clock: Clock;

  constructor(directory: string, clock: Clock) {
    this.#journal = Journal.at(directory);
    this.#clock = clock;
  }

  exclusively<T>(gateway: Gateway, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return exclusively(this.#journal.directory, gateway.info.address, this.#clock, signal, async () => {
      await this.#bury(gateway, signal);
      return work();
    });
  }

  isTaken({ info, localAddress }: Gateway, { transport, internalPort, externalPort }: Wish): boolean {
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

  async intend(gateway: Gateway, wish: Wish): Promise<void> {
    const now = this.#clock.unixNow();
    // Until the answer is known the wish's own lifetime counts.
    const expiresAt = wish.lifetimeSeconds === 0 ? 0 : now + wish.lifetimeSeconds * 1000;
    this.#journal.write(this.#entry(gateway, wish, expiresAt, wish.nonce));
  }

  async granted(gateway: Gateway, wish: Wish, lease: Lease): Promise<void> {
    if (lease.externalPort !== wish.externalPort)
      this.#journal.erase({ ...wish, via: gateway.info.via, gateway: gateway.info.address });
    this.#journal.write(this.#entry(gateway, lease, lease.expiresAt, lease.nonce));
  }

  async forget(
    gateway: Gateway,
    { transport, externalPort }: { transport: Transport; externalPort: number },
  ): Promise<void> {
    this.#journal.erase({ via: gateway.info.via, gateway: gateway.info.address, transport, externalPort });
  }

  makeRoom(gateway: Gateway, signal: AbortSignal): Promise<boolean> {
    return this.#bury(gateway, signal);
  }

  /** Removes what dead processes left at this gateway, where it is still ours and nobody living has it. */
  async welcome(gateway: Gateway, signal: AbortSignal): Promise<void> {
    if (this.#orphansOf(gateway).length === 0) return;
    await exclusively(this.#journal.directory, gateway.info.address, this.#clock, signal, () =>
      this.#bury(gateway, signal),
    ).catch(() => undefined);
  }

  async #bury(gateway: Gateway, signal: AbortSignal): Promise<boolean> {
    let removed = false;
    for (const { entry, settle } of this.#orphansOf(gateway)) {
      if (signal.aborted) break;
      if (this.#journal.isClaimed(entry)) {
        settle();
        continue;
      }
      const limit = AbortSignal.any([signal, AbortSignal.timeout(RELEASE_TIMEOUT)]);
      if (await gateway.release(asLease(entry), limit).catch(() => false)) {
        settle();
        removed = true;
      }
    }
    return removed;
  }

  #orphansOf({ info, localAddress }: Gateway): ReturnType<Journal["orphans"]> {
    return this.#journal
      .orphans(this.#clock.unixNow())
      .filter(
        ({ entry }) => entry.via === info.via && entry.gateway === info.address && entry.localAddress === localAddress,
      );
  }

  #entry(
    { info, localAddress }: Gateway,
    {
      transport,
      internalPort,
      externalPort,
      description,
    }: Pick<Wish, "transport" | "internalPort" | "externalPort" | "description">,
    expiresAt: number,
    nonce?: Uint8Array,
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
  };
}
