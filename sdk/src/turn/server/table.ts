import { callerKey } from "../../net/caller-key.ts";
import { EndpointMap } from "../../net/endpoint-map.ts";
import type { ServerAllocation, TurnClient } from "./allocation.ts";
import type { TurnServerSettings } from "./options.ts";

/** Which allocations there are, whose, and how many each may have. */
export class AllocationTable {
  readonly #settings: TurnServerSettings;
  readonly #all = new Set<ServerAllocation>();
  readonly #overUDP = new EndpointMap<ServerAllocation>();
  readonly #overStreams = new Map<TurnClient, ServerAllocation>();
  readonly #byRelayed = new EndpointMap<ServerAllocation>();
  readonly #perUser = new Map<string, number>();
  readonly #perCaller = new Map<string, number>();

  constructor(settings: TurnServerSettings) {
    this.#settings = settings;
  }

  get size(): number {
    return this.#all.size;
  }

  [Symbol.iterator](): IterableIterator<ServerAllocation> {
    return this.#all.values();
  }

  of(client: TurnClient): ServerAllocation | undefined {
    const { address, port } = client.endpoint;
    return client.transport === "udp" ? this.#overUDP.get(address, port) : this.#overStreams.get(client);
  }

  /** The allocation over UDP of the client at this address. */
  at(address: string, port: number): ServerAllocation | undefined {
    return this.#overUDP.get(address, port);
  }

  /** The allocation that has this relayed address. */
  relayedAt(address: string, port: number): ServerAllocation | undefined {
    return this.#byRelayed.get(address, port);
  }

  /** Why there is no place for one more; undefined when there is. */
  refusal(user: string, client: TurnClient): "quota" | "full" | undefined {
    const { allocations, allocationsPerUser, allocationsPerCaller } = this.#settings;
    if (this.#all.size >= allocations) return "full";
    if ((this.#perUser.get(user) ?? 0) >= allocationsPerUser) return "quota";
    if ((this.#perCaller.get(callerKey(client.endpoint.address)) ?? 0) >= allocationsPerCaller) return "quota";
    return undefined;
  }

  add(allocation: ServerAllocation): void {
    const { client, relayed, user, caller } = allocation;
    this.#all.add(allocation);
    if (client.transport === "udp") this.#overUDP.set(client.endpoint.address, client.endpoint.port, allocation);
    else this.#overStreams.set(client, allocation);
    this.#byRelayed.set(relayed.address, relayed.port, allocation);
    count(this.#perUser, user.user, 1);
    count(this.#perCaller, caller, 1);
  }

  delete(allocation: ServerAllocation): void {
    if (!this.#all.delete(allocation)) return;
    const { client, relayed, user, caller } = allocation;
    if (client.transport === "udp") this.#overUDP.delete(client.endpoint.address, client.endpoint.port);
    else this.#overStreams.delete(client);
    this.#byRelayed.delete(relayed.address, relayed.port);
    count(this.#perUser, user.user, -1);
    count(this.#perCaller, caller, -1);
  }
}

function count(counts: Map<string, number>, key: string, change: number): void {
  const now = (counts.get(key) ?? 0) + change;
  if (now > 0) counts.set(key, now);
  else counts.delete(key);
}
