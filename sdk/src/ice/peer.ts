import type { Endpoint } from "../net/endpoint.ts";
import type { UDPSocket } from "../net/udp-socket.ts";
import type { IceAgent } from "./agent.ts";
import type { IceCandidate, LocalCandidate } from "./candidate.ts";
import type { IceCredentials } from "./credentials.ts";
import type { IceCounters, IcePairInfo, IcePath, IceState } from "./types.ts";
import { SOCKET } from "./via.ts";

/** What a peer needs of the multiplexer that made it. */
export interface IcePeerHost {
  readonly socket: UDPSocket;
  send(data: Uint8Array, via: string, address: string, port: number): boolean;
  now(): number;
  /** The agent was told something: its timer may have changed. */
  turn(peer: IcePeer): void;
  restarted(peer: IcePeer, old: IceCredentials): void;
  forget(peer: IcePeer): void;
}

/**
 * One peer of an {@link IceMux}: datagrams to and from it, whichever way they go. A way that changes changes nothing for
 * those who send, but that a few datagrams may be lost, doubled or late, as ever with UDP.
 */
export class IcePeer implements Disposable {
  /**
   * A datagram of the peer, from an address that it has proven, or from where an authentic check came: then it may also be somebody
   * else's, and false says that it is. `data` is the receiver's to keep.
   */
  onData: ((data: Buffer) => unknown) | null = null;
  /** Packets go another way from now on; `null` when there is none any more. */
  onPath: ((path: IcePath | null, previous: IcePath | null) => void) | null = null;
  onState: ((state: IceState) => void) | null = null;
  /** The agent behind it; tell it things by the peer's own methods, which keep its timer. */
  readonly agent: IceAgent;
  readonly #host: IcePeerHost;
  readonly #closeListeners: (() => void)[] = [];

  constructor(agent: IceAgent, host: IcePeerHost) {
    this.agent = agent;
    this.#host = host;
  }

  get path(): IcePath | null {
    return this.agent.path;
  }

  get state(): IceState {
    return this.agent.state;
  }

  /** To be signalled to the peer. */
  get localCredentials(): IceCredentials {
    return this.agent.localCredentials;
  }

  get localCandidates(): readonly LocalCandidate[] {
    return this.agent.localCandidates;
  }

  /** Sends a datagram the way that works best. `data` may be reused at once. @returns `false` when it cannot leave now */
  send(data: Uint8Array): boolean {
    const { path } = this.agent;
    if (path === null) return false;
    const { address, port } = path.remote;
    if (path.via === SOCKET) return this.#host.socket.send(data, port, address);
    return this.#host.send(data, path.via, address, port);
  }

  setRemoteCredentials(credentials: IceCredentials): void {
    this.agent.setRemoteCredentials(credentials, this.#host.now());
    this.#host.turn(this);
  }

  /** A candidate that the peer signalled, read by `parseCandidate`. @returns `false` for one that cannot be used */
  addRemoteCandidate(candidate: IceCandidate): boolean {
    const added = this.agent.addRemoteCandidate(candidate, this.#host.now());
    this.#host.turn(this);
    return added;
  }

  /** See {@link IceAgent.removeRemoteCandidate}. */
  removeRemoteCandidate(candidate: Endpoint): boolean {
    const removed = this.agent.removeRemoteCandidate(candidate, this.#host.now());
    this.#host.turn(this);
    return removed;
  }

  endOfCandidates(): void {
    this.agent.endOfCandidates();
    this.#host.turn(this);
  }

  addLocalCandidate(candidate: LocalCandidate): boolean {
    const added = this.agent.addLocalCandidate(candidate, this.#host.now());
    this.#host.turn(this);
    return added;
  }

  removeLocalCandidate(candidate: LocalCandidate): boolean {
    const removed = this.agent.removeLocalCandidate(candidate, this.#host.now());
    this.#host.turn(this);
    return removed;
  }

  /** Checks every way again, at once: the network may have changed. */
  networkChanged(): void {
    this.agent.networkChanged(this.#host.now());
    this.#host.turn(this);
  }

  /** See {@link IceAgent.fitKeepAlive}. */
  fitKeepAlive(mappingLifetimeSeconds: number | null): void {
    this.agent.fitKeepAlive(mappingLifetimeSeconds, this.#host.now());
    this.#host.turn(this);
  }

  /** Checks the path in use now, where the layer above has reason to doubt it. */
  probe(): void {
    this.agent.probe(this.#host.now());
    this.#host.turn(this);
  }

  /** New credentials on this side; the peer's own and its candidates must be signalled anew. Packets go on meanwhile. */
  restart(credentials: IceCredentials): void {
    const old = this.agent.localCredentials;
    this.agent.restart(credentials, this.#host.now());
    this.#host.restarted(this, old);
    this.#host.turn(this);
  }

  /** See {@link IceAgent.strayed}; on the socket. */
  strayed(address: string, port: number, bytes: number): void {
    this.agent.strayed(SOCKET, address, port, bytes, this.#host.now());
    this.#host.turn(this);
  }

  /** See {@link IceAgent.knock}. */
  knock(via: string, address: string, port: number): boolean {
    return this.agent.knock(via, address, port, this.#host.now());
  }

  pairs(): IcePairInfo[] {
    return this.agent.pairs();
  }

  get counters(): Readonly<IceCounters> {
    return this.agent.counters;
  }

  close(): void {
    this.agent.close();
    this.#host.forget(this);
    for (const listener of this.#closeListeners.splice(0)) listener();
  }

  /** Calls `listener` when the peer is closed, or now. */
  onceClosed(listener: () => void): void {
    if (this.state === "closed") listener();
    else this.#closeListeners.push(listener);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
