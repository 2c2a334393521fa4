import { EndpointMap } from "../net/endpoint-map.ts";
import type { PrivateToken } from "./private-token.ts";
import { Handshake, type ServerClient } from "./server-peers.ts";
import type { Slab } from "./sodium.ts";
import type { TokenEntry } from "./token-history.ts";

/**
 * Who may speak to the server: a client in its slot or a handshake under way, by source address. An address is never
 * both. The number of handshakes is capped; each ends `timeout` after its latest accepted request, and nothing else that
 * arrives prolongs it. Where tokens replace one another, a client id has one handshake, the latest.
 */
export class SourceTable {
  readonly #slab: Slab;
  readonly #maxHandshakes: number;
  readonly #sources: EndpointMap<ServerClient | Handshake> = new EndpointMap();
  readonly #handshakes: Set<Handshake> = new Set();
  /** Undefined where one client id may have several. */
  readonly #byClient: Map<bigint, Handshake> | undefined;
  #nextDeadline: number = Number.POSITIVE_INFINITY;

  constructor(slab: Slab, maxHandshakes: number, oneForEachClient: boolean) {
    this.#slab = slab;
    this.#maxHandshakes = maxHandshakes;
    this.#byClient = oneForEachClient ? new Map() : undefined;
  }

  get handshakes(): number {
    return this.#handshakes.size;
  }

  /** ms; Infinity: none. Perhaps too early, never too late. */
  get nextDeadline(): number {
    return this.#nextDeadline;
  }

  get(address: string, port: number): ServerClient | Handshake | undefined {
    return this.#sources.get(address, port);
  }

  /** A request was accepted: adds the handshake, or replaces the one from the same address. Null: no room. */
  begin(
    address: string,
    port: number,
    token: PrivateToken,
    entry: TokenEntry,
    now: number,
    tokenExpiry: number,
  ): Handshake | null {
    const known = this.#sources.get(address, port);
    if (known?.slotted) return null;
    const former = this.#byClient?.get(token.clientId);
    if (former && former !== known) this.drop(former);
    if (known) {
      this.#releaseKeys(known);
      this.#byClient?.delete(known.clientId);
    } else if (this.#handshakes.size >= this.#maxHandshakes && !this.#makeRoom(now)) return null;
    const handshake = known ?? new Handshake(address, port);
    // Repeated requests are part of one handshake.
    if (!known || known.clientId !== token.clientId) handshake.beganAt = now;
    handshake.clientId = token.clientId;
    handshake.timeoutSeconds = token.timeoutSeconds;
    handshake.receiveKey = this.#slab.storeCell(token.clientToServerKey);
    handshake.sendKey = this.#slab.storeCell(token.serverToClientKey);
    handshake.entry = entry;
    handshake.deadline = token.timeoutSeconds > 0 ? now + token.timeoutSeconds * 1000 : Number.POSITIVE_INFINITY;
    handshake.tokenExpiry = tokenExpiry;
    this.#nextDeadline = Math.min(this.#nextDeadline, handshake.deadline);
    this.#byClient?.set(handshake.clientId, handshake);
    if (!known) {
      this.#handshakes.add(handshake);
      this.#sources.set(address, port, handshake);
    }
    return handshake;
  }

  /** The handshake became a client, which takes its keys over. */
  install(handshake: Handshake, client: ServerClient): void {
    this.#handshakes.delete(handshake);
    this.#byClient?.delete(handshake.clientId);
    this.#sources.set(client.address, client.port, client);
  }

  drop(handshake: Handshake): void {
    this.#handshakes.delete(handshake);
    this.#byClient?.delete(handshake.clientId);
    this.#sources.delete(handshake.address, handshake.port);
    this.#releaseKeys(handshake);
  }

  remove(client: ServerClient): void {
    this.#sources.delete(client.address, client.port);
    this.#releaseKeys(client);
  }

  /** False if another client is there. A handshake from there is dropped. */
  move(client: ServerClient, address: string, port: number): boolean {
    const there = this.#sources.get(address, port);
    if (there === client) return true;
    if (there?.slotted) return false;
    if (there) this.drop(there);
    this.#sources.delete(client.address, client.port);
    client.address = address;
    client.port = port;
    this.#sources.set(address, port, client);
    return true;
  }

  dropLate(now: number): void {
    if (this.#nextDeadline >= now) return;
    let next = Number.POSITIVE_INFINITY;
    for (const handshake of this.#handshakes) {
      if (handshake.deadline < now) this.drop(handshake);
      else next = Math.min(next, handshake.deadline);
    }
    this.#nextDeadline = next;
  }

  dropAll(): void {
    for (const handshake of this.#handshakes) this.drop(handshake);
    this.#nextDeadline = Number.POSITIVE_INFINITY;
  }

  /** A handshake without a timeout whose token has expired may go: its client has given up. */
  #makeRoom(now: number): boolean {
    this.dropLate(now);
    for (const handshake of this.#handshakes) if (handshake.tokenExpiry < now) this.drop(handshake);
    return this.#handshakes.size < this.#maxHandshakes;
  }

  #releaseKeys(peer: { readonly receiveKey: number; readonly sendKey: number }): void {
    this.#slab.releaseCell(peer.receiveKey);
    this.#slab.releaseCell(peer.sendKey);
  }
}
