import { EndpointMap } from "../net/endpoint-map.ts";
import type { DatagramHandler, UDPSocket } from "../net/udp-socket.ts";
import { PROCESS_BUDGET, type UnansweredBudget } from "../net/unanswered-budget.ts";
import { StunAttribute, StunMethod } from "../stun/constants.ts";
import { isStun, StunMessage } from "../stun/message.ts";
import { IceAgent } from "./agent.ts";
import type { LocalCandidate } from "./candidate.ts";
import { localCandidate } from "./candidate.ts";
import { splitUsername } from "./check-message.ts";
import { type IceCredentials, newIceCredentials } from "./credentials.ts";
import { IcePeer } from "./peer.ts";
import type { RelayPath } from "./relay.ts";
import { RequestTable } from "./request-table.ts";
import type { IceAgentOptions, IceSource } from "./types.ts";
import { isSocket, SOCKET } from "./via.ts";

export interface IceMuxOptions {
  /**
   * Relays alone are used: nothing is taken from the socket, and no check or packet leaves by it, so that peers learn none of our
   * addresses. Candidates of the socket are not told. Default false.
   */
  relayOnly?: boolean;
  /** Peers at one time. Default 1024. */
  maxPeers?: number;
  /** Milliseconds of a monotonic clock. */
  now?: () => number;
  /** What unanswered packets to addresses that peers name may go on. Default: the process's. */
  budget?: UnansweredBudget;
}

export interface IcePeerOptions extends Omit<IceAgentOptions, "local" | "random"> {
  /** Default: fresh ones. */
  local?: IceCredentials;
}

export interface AddRelayOptions {
  /** The TURN server, for the candidate's foundation. */
  server?: string;
}

interface Target {
  readonly peer: IcePeer;
  readonly source: IceSource;
  /** Else an authentic check came from there, which may have been forged as to its source: what comes may be somebody else's. */
  readonly proven: boolean;
}

/** From where datagrams leave: the socket, another one, a relay. */
interface Base {
  send(data: Uint8Array, address: string, port: number): boolean;
  /** Lets go of it. */
  leave(): void;
  readonly candidates: LocalCandidate[];
  readonly targets: EndpointMap<Target>;
}

/** Timers closer than this are one. */
const TIMER_SLACK_MS = 1;

/**
 * Many ICE agents on one UDP socket, and on the relays that were opened beside it: who a datagram belongs to is found in
 * constant time, and one timer serves all.
 *
 * It takes from the socket what is an ICE agent's: checks and their answers, and datagrams from addresses that peers have
 * proven. Checks for nobody here are swallowed without an answer. Everything else is left to those who come after.
 */
export class IceMux implements Disposable {
  /** A peer that opens several paths has one {@link UnansweredBudget.introduction} for all. */
  readonly budget: UnansweredBudget;
  readonly #socket: UDPSocket;
  readonly #maxPeers: number;
  readonly #now: () => number;
  readonly #relayOnly: boolean;
  readonly #peers: Map<IcePeer, number> = new Map();
  readonly #byFragment: Map<string, IcePeer> = new Map();
  readonly #requests: RequestTable<IcePeer> = new RequestTable();
  readonly #bases: Map<string, Base> = new Map();
  /** Of the socket itself, which all datagrams ask. */
  readonly #direct: EndpointMap<Target> = new EndpointMap();
  readonly #leave: (() => void)[];
  #mappingLifetimeSeconds: number | null = null;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(socket: UDPSocket, options: IceMuxOptions = {}) {
    this.#socket = socket;
    this.#maxPeers = options.maxPeers ?? 1024;
    this.budget = options.budget ?? PROCESS_BUDGET;
    this.#now = options.now ?? (() => performance.now());
    const { relayOnly = false } = options;
    this.#relayOnly = relayOnly;
    this.#bases.set(SOCKET, {
      send: (data, address, port) => !relayOnly && socket.send(data, port, address),
      leave: () => undefined,
      candidates: [],
      targets: this.#direct,
    });
    this.#leave = [
      relayOnly ? () => undefined : socket.tap((data, address, port) => this.#receive(data, address, port)),
      socket.onClose(() => this.close()),
    ];
  }

  get size(): number {
    return this.#peers.size;
  }

  /**
   * Begins with one peer. It has the candidates that the multiplexer knows, and gets those that come later.
   * @throws {RangeError} when there are `maxPeers` already, or the credentials are in use
   */
  open(options: IcePeerOptions): IcePeer {
    const local = options.local ?? newIceCredentials();
    if (this.#leave.length === 0) throw new RangeError("the multiplexer is closed");
    if (this.#peers.size >= this.#maxPeers) throw new RangeError(`there are ${this.#maxPeers} peers already`);
    if (this.#byFragment.has(local.ufrag)) throw new RangeError("another peer uses these credentials");
    const agent: IceAgent = new IceAgent(
      { budget: this.budget.introduction(), ...options, local },
      {
        send: (data, via, address, port) => this.#send(peer, data, via, address, port),
        selected: (path, previous) => peer.onPath?.(path, previous),
        stateChanged: (state) => peer.onState?.(state),
        sourceHeard: (source) => {
          // Takes nothing away from whoever has proven that it is there: a check may be a copy from a forged address.
          const targets = this.#bases.get(source.via)?.targets;
          if (targets?.get(source.address, source.port) === undefined) {
            targets?.set(source.address, source.port, { peer, source, proven: false });
          }
        },
        sourceAdded: (source) => {
          // The last to prove that it is there has it: a peer that began anew from the same socket.
          this.#bases.get(source.via)?.targets.set(source.address, source.port, { peer, source, proven: true });
        },
        sourceRemoved: (source) => {
          const targets = this.#bases.get(source.via)?.targets;
          if (targets?.get(source.address, source.port)?.source === source) targets.delete(source.address, source.port);
        },
      },
    );
    const peer = new IcePeer(agent, {
      socket: this.#socket,
      send: (data, via, address, port) => this.#bases.get(via)?.send(data, address, port) ?? false,
      now: this.#now,
      turn: (each) => this.#turn(each),
      restarted: (each, old) => {
        this.#byFragment.delete(old.ufrag);
        this.#byFragment.set(each.localCredentials.ufrag, each);
      },
      forget: (each) => this.#forget(each),
    });
    this.#peers.set(peer, Number.POSITIVE_INFINITY);
    this.#byFragment.set(local.ufrag, peer);
    const now = this.#now();
    agent.fitKeepAlive(this.#mappingLifetimeSeconds, now);
    for (const { candidates } of this.#bases.values()) {
      for (const candidate of candidates) agent.addLocalCandidate(candidate, now);
    }
    this.#turn(peer);
    return peer;
  }

  /** A way of ours that all peers, present and future, may use: an interface's address, a mapped or reflexive one. */
  addLocalCandidate(candidate: LocalCandidate): void {
    const base = this.#bases.get(candidate.via);
    if (base === undefined) throw new RangeError(`there is no socket or relay ${candidate.via}`);
    if (this.#relayOnly && isSocket(candidate.via)) return;
    base.candidates.push(candidate);
    for (const peer of this.#peers.keys()) peer.addLocalCandidate(candidate);
  }

  removeLocalCandidate(candidate: LocalCandidate): void {
    const candidates = this.#bases.get(candidate.via)?.candidates ?? [];
    const { type, address, port } = candidate;
    const index = candidates.findIndex((each) => each.type === type && each.address === address && each.port === port);
    if (index >= 0) candidates.splice(index, 1);
    for (const peer of this.#peers.keys()) peer.removeLocalCandidate(candidate);
  }

  /**
   * Another base beside the socket. The multiplexer has its handlers from now on, and gives it up when it is lost; to
   * close it stays with whoever opened it.
   * @returns its candidate, which all peers have
   */
  addRelay(relay: RelayPath, options: AddRelayOptions = {}): LocalCandidate {
    const { server } = options;
    relay.onData = this.#addBase(relay.id, {
      send: (data, address, port) => relay.send(data, address, port),
      leave: () => {
        relay.onData = null;
        relay.onLost = null;
      },
    });
    relay.onLost = () => this.removeBase(relay.id);
    // Peers have relays on the same server, as a rule.
    this.budget.answered(relay.relayed.address, this.#now());
    const candidate = localCandidate("relayed", relay.relayed, {
      via: relay.id,
      ...(server === undefined ? {} : { server }),
    });
    this.addLocalCandidate(candidate);
    return candidate;
  }

  /**
   * Another socket, from which peers may be met though no candidate names it. To close it stays with whoever opened it.
   * @param id `socket:` and a name
   */
  addSocket(id: string, socket: UDPSocket): void {
    const receive = this.#addBase(id, {
      send: (data, address, port) => socket.send(data, port, address),
      leave: () => {
        socket.onDatagram = null;
      },
    });
    socket.onDatagram = receive;
  }

  /** Gives a relay or a further socket up. Peers that used it take another way, where there is one. */
  removeBase(id: string): void {
    const base = this.#bases.get(id);
    if (base === undefined || id === SOCKET) return;
    base.leave();
    const now = this.#now();
    for (const peer of this.#peers.keys()) {
      peer.agent.removeBase(id, now);
      this.#turn(peer);
    }
    this.#bases.delete(id);
  }

  #addBase(id: string, { send, leave }: Pick<Base, "send" | "leave">): DatagramHandler {
    if (this.#bases.has(id)) throw new RangeError(`there is a socket or relay ${id} already`);
    const targets = new EndpointMap<Target>();
    this.#bases.set(id, { send, leave, candidates: [], targets });
    return (data, address, port) => {
      if (isStun(data)) this.#receiveStun(data, id, address, port);
      else this.#deliver(targets.get(address, port), data);
    };
  }

  /** For all peers, present and future: keeps their pairs alive as our NAT wants it. `null`: its lifetime is not known. */
  fitKeepAlive(mappingLifetimeSeconds: number | null): void {
    this.#mappingLifetimeSeconds = mappingLifetimeSeconds;
    for (const peer of this.#peers.keys()) peer.fitKeepAlive(mappingLifetimeSeconds);
  }

  /** For all peers: checks every way again, at once. */
  networkChanged(): void {
    for (const peer of this.#peers.keys()) peer.networkChanged();
  }

  /** Closes all peers and lets go of socket and relays, which stay open. */
  close(): void {
    clearTimeout(this.#timer);
    for (const leave of this.#leave.splice(0)) leave();
    for (const peer of this.#peers.keys()) peer.close();
    for (const id of this.#bases.keys()) this.removeBase(id);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #receive(data: Buffer, address: string, port: number): boolean {
    if (isStun(data)) return this.#receiveStun(data, SOCKET, address, port);
    const target = this.#direct.get(address, port);
    if (target === undefined) return false;
    return this.#deliver(target, data) || target.proven;
  }

  /** False for what the peer does not take. */
  #deliver(target: Target | undefined, data: Buffer): boolean {
    if (target === undefined) return false;
    const taken = target.peer.onData?.(data) !== false;
    if (taken || target.proven) target.source.heard = true;
    if (target.proven) target.peer.agent.heard(data.length);
    return taken;
  }

  #receiveStun(data: Buffer, via: string, address: string, port: number): boolean {
    const isRequest = ((data[0] ?? 0) & 1) === 0 && ((data[1] ?? 0) & 0x10) === 0;
    // A response is looked up before it is read; a request must be read to find its user name.
    let peer = isRequest ? undefined : this.#requests.get(data);
    if (!isRequest && peer === undefined) return false;
    const message = StunMessage.decode(data);
    if (message === null || message.method !== StunMethod.BINDING) return false;
    if (isRequest) {
      const [ours, theirs] = splitUsername(message.text(StunAttribute.USERNAME) ?? "");
      // Other Binding requests are a STUN responder's.
      if (theirs === "") return false;
      peer = this.#byFragment.get(ours);
    }
    if (peer !== undefined && peer.agent.receive(message, via, address, port, this.#now())) this.#turn(peer);
    return true;
  }

  #send(peer: IcePeer, data: Uint8Array, via: string, address: string, port: number): void {
    const isRequest = ((data[0] ?? 0) & 1) === 0 && ((data[1] ?? 0) & 0x10) === 0;
    if (isRequest) this.#requests.set(data, peer, this.#now());
    this.#bases.get(via)?.send(data, address, port);
  }

  #forget(peer: IcePeer): void {
    if (!this.#peers.delete(peer)) return;
    this.#byFragment.delete(peer.localCredentials.ufrag);
  }

  /** Notes when the peer wants to be woken. */
  #turn(peer: IcePeer): void {
    if (!this.#peers.has(peer)) return;
    const now = this.#now();
    const next = peer.agent.nextUpdate(now);
    this.#peers.set(peer, next);
    this.#wakeAt(next, now);
  }

  #wakeAt(time: number, now: number): void {
    if (time >= this.#timerAt - TIMER_SLACK_MS) return;
    clearTimeout(this.#timer);
    this.#timerAt = time;
    this.#timer = setTimeout(() => this.#wake(), Math.max(0, Math.ceil(time - now))).unref();
  }

  #wake(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#now();
    let next = Number.POSITIVE_INFINITY;
    for (const [peer, at] of this.#peers) {
      let again = at;
      if (at <= now + TIMER_SLACK_MS) {
        peer.agent.update(now);
        if (!this.#peers.has(peer)) continue;
        again = peer.agent.nextUpdate(now);
        this.#peers.set(peer, again);
      }
      next = Math.min(next, again);
    }
    this.#wakeAt(next, now);
  }
}
