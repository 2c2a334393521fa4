import { type LocalCandidate, localCandidate } from "../../ice/candidate.ts";
import { IceMux } from "../../ice/mux.ts";
import type { IcePeer } from "../../ice/peer.ts";
import type { NatView } from "../../ice/port-prediction.ts";
import { onLocalNetwork, sharesAttestedNetwork, sharesNetwork } from "../../ice/remote-policy.ts";
import type { IcePairInfo } from "../../ice/types.ts";
import { natBehaviour } from "../../nat/behaviour-discovery.ts";
import { messageOf } from "../../net/message-of.ts";
import type { NAT64Prefix } from "../../net/nat64.ts";
import { traceOf } from "../../net/trace.ts";
import { UDPSocket } from "../../net/udp-socket.ts";
import type { IntroductionBudget } from "../../net/unanswered-budget.ts";
import { UnprovenAddress } from "../../net/unproven-address.ts";
import { reachableAddresses } from "../../net/usable-interfaces.ts";
import { sleep } from "../../net/wait.ts";
import type { SessionPath, SessionPathState } from "../../session/path.ts";
import { stunBinding } from "../../stun/client.ts";
import { openTurnRelay, type TurnServer } from "../../turn/open.ts";
import type { TurnRelay } from "../../turn/relay.ts";
import { Guessing } from "../guessing.ts";
import type { Introduction } from "../sealed/introduction.ts";
import { trickle } from "../trickle.ts";
import { RendezvousError } from "../wire/errors.ts";
import type { InviteTunnelMessage, PathMessage } from "../wire/invite-tunnel.ts";
import type { TurnAccess } from "../wire/servers.ts";
import type { RelaysTaker } from "./own-relay.ts";

const trace = traceOf("rendezvous");

const STUN_TIMEOUT_MS = 3_000;
/** A direct way, or a relay of the host's, has so long before players are asked, ms. */
const OTHERS_FIRST_MS = 600;
/** Of players: one, and another that takes over. */
const MAX_PLAYER_RELAYS = 2;
const MAX_RELAYS = 8;
const TRANSLATED = "192.0.0.2";

/** Whom a path asks what others see of us. */
export interface PathServers {
  readonly stun: readonly string[];
  readonly turn: readonly TurnServer[];
}

export interface PathOptions {
  isLocal: boolean;
  isAttested: boolean;
  prefix: NAT64Prefix | undefined;
  relayOnly: boolean;
}

/** One session's socket, ICE and relay; they go when the session goes. */
export class InvitedPath implements SessionPath, RelaysTaker {
  onData: SessionPath["onData"] = null;
  onPath: (() => void) | null = null;
  readonly #socket: UDPSocket;
  readonly #mux: IceMux;
  readonly #budget: IntroductionBudget;
  readonly #peer: IcePeer;
  readonly #closing = new AbortController();
  readonly #relayOnly: boolean;
  readonly #hopeless = new AbortController();
  readonly #forget: () => void;
  readonly id: number;
  /** Our IPv4 address on this network. */
  readonly #base: string | undefined;
  #isAsked = false;
  #told: LocalCandidate[] = [];
  #introduction: Introduction | undefined;
  #guessing: Guessing | undefined;
  /** What the host said along with its answer, before we were attached. */
  readonly #early: InviteTunnelMessage[] = [];
  readonly #relays: TurnRelay[] = [];
  /** TURN servers of players, by their first URL. */
  readonly #asked = new Set<string>();
  /** Nothing else led to the host in time. */
  #needsPlayers = false;
  #nat: NatView | undefined;
  #examining = false;

  constructor(id: number, paths: Map<number, InvitedPath>, { isLocal, isAttested, prefix, relayOnly }: PathOptions) {
    this.id = id;
    this.#relayOnly = relayOnly;
    this.#socket = UDPSocket.open({ receiveBufferSize: 1 << 20, nat64: prefix });
    this.#mux = new IceMux(this.#socket, { relayOnly });
    this.#budget = this.#mux.budget.introduction(new UnprovenAddress());
    const { localPort: port } = this.#socket;
    const interfaces = reachableAddresses();
    for (const { address } of interfaces) this.#mux.addLocalCandidate(localCandidate("host", { address, port }));
    // ICE pairs an IPv4 address with one of ours alone. This one, of a translator's inside (RFC 7335), nobody tries.
    if (prefix)
      this.#mux.addLocalCandidate(localCandidate("host", { address: TRANSLATED, port }, { localPreference: 0 }));
    // A host on this very machine, perhaps without any network.
    if (isLocal)
      this.#mux.addLocalCandidate(localCandidate("host", { address: "127.0.0.1", port }, { localPreference: 0 }));
    const allowOutside = isAttested ? sharesAttestedNetwork : sharesNetwork;
    const allowRemote = isLocal ? onLocalNetwork : allowOutside;
    this.#peer = this.#mux.open({ role: "controlling", allowRemote, budget: this.#budget });
    this.#peer.onData = (data) => this.onData?.(data);
    this.#peer.onPath = () => this.onPath?.();
    paths.set(id, this);
    this.#forget = () => paths.delete(id);
    this.#base = interfaces.find(({ address }) => !address.includes(":"))?.address;
  }

  /** Whether the host was asked for it. */
  get isAsked(): boolean {
    return this.#isAsked;
  }

  /** Aborted, with an error that says why, when no way can be found any more. */
  get hopeless(): AbortSignal {
    return this.#hopeless.signal;
  }

  /** Of which the search is. */
  get introduction(): Introduction | undefined {
    return this.#introduction;
  }

  /** What asks the host for a path, with what we know of ours so far. */
  ask(): PathMessage {
    this.#isAsked = true;
    this.#told = [...this.#peer.localCandidates];
    if (trace.on) trace.event("path-asked", { id: this.id, localCandidates: this.#told.length });
    return { type: "path", id: this.id, ice: this.#peer.localCredentials, candidates: this.#told };
  }

  /** Once the host has been asked: tells it what we learn later. */
  attach(introduction: Introduction): void {
    this.#introduction = introduction;
    trickle(introduction, this.id, this.#peer, this.#told);
    if (this.#relayOnly) return;
    this.#guessing = new Guessing({
      introduction,
      id: this.id,
      mux: this.#mux,
      peer: this.#peer,
      leads: true,
      nat: () => this.#nat,
      examine: () => void this.#examine(introduction),
      signal: this.#closing.signal,
    });
    for (const message of this.#early.splice(0)) this.#guessing.receive(message);
  }

  /** What others see of us; told as it comes. */
  learn(servers: PathServers): void {
    // The lobby may name whom it likes.
    this.#budget.heard(JSON.stringify(servers).length);
    if (!this.#relayOnly) void this.#askStun(servers.stun);
    if (servers.turn.length > 0) void this.#openRelay(servers.turn);
  }

  /** Of players who relay for others, who see our address then: asked where nothing else has led to the host by then. */
  learnRelays(turn: readonly TurnAccess[]): void {
    if (this.#relayOnly || turn.length === 0) return;
    const { signal } = this.#closing;
    void sleep(OTHERS_FIRST_MS, signal).then(() => {
      if (!signal.aborted && this.path === null) this.#askPlayers(turn);
    });
  }

  /** This player's own relay, on this machine: a host that comes to it is met there. */
  openOwnRelay(server: TurnServer): void {
    const [url = ""] = [server.urls].flat();
    if (this.#asked.has(url)) return;
    this.#asked.add(url);
    void this.#openRelay([server]);
  }

  /** The host's relayed addresses, and relays of players, are others than before. */
  takeRelays({ add, remove, turn }: Parameters<RelaysTaker["takeRelays"]>[0]): void {
    for (const candidate of add) this.#peer.addRemoteCandidate(candidate);
    for (const candidate of remove) this.#peer.removeRemoteCandidate(candidate);
    // Who stands on a relay of its own is to have another one.
    if (!this.#relayOnly && this.#needsPlayers) this.#askPlayers(turn);
  }

  #askPlayers(turn: readonly TurnAccess[]): void {
    this.#needsPlayers = true;
    for (const server of turn.slice(0, MAX_PLAYER_RELAYS)) {
      const [url = ""] = server.urls;
      if (this.#asked.has(url) || this.#relays.length >= MAX_RELAYS) continue;
      this.#asked.add(url);
      void this.#openRelay([server]);
    }
  }

  receive(message: InviteTunnelMessage, bytes: number): void {
    this.#budget.heard(bytes);
    if (message.type === "path") {
      if (trace.on) trace.event("path-answered", { id: message.id, remoteCandidates: message.candidates.length });
      this.#peer.setRemoteCredentials(message.ice);
    }
    if (message.type === "path" || message.type === "candidates") {
      for (const candidate of message.candidates) this.#peer.addRemoteCandidate(candidate);
    }
    if (this.#guessing) this.#guessing.receive(message);
    else if (!this.#relayOnly) this.#early.push(message);
  }

  get path(): SessionPathState | null {
    return this.#peer.path;
  }

  send(data: Uint8Array): boolean {
    return this.#peer.send(data);
  }

  pairs(): IcePairInfo[] {
    return this.#peer.pairs();
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#forget();
    this.#mux.close();
    // The relay is given back over the socket.
    void Promise.all(this.#relays.map((relay) => relay.close())).then(() => this.#socket.close());
  }

  /** How our NAT behaves: asked only when the path is relayed, since it takes a second or two. */
  async #examine({ servers }: Introduction): Promise<void> {
    if (this.#examining) return;
    this.#examining = true;
    for (const server of servers.stun) {
      const { signal } = this.#closing;
      const { mapping, filtering } = await natBehaviour(this.#socket, server, { signal });
      if (mapping === "unknown" || filtering === "unknown") continue;
      this.#nat = { mapping, filtering };
      return;
    }
  }

  readonly #maySend = (address: string, bytes: number): boolean => this.#budget.take(address, bytes, performance.now());

  async #askStun(servers: readonly string[]): Promise<void> {
    const { signal } = this.#closing;
    const base = this.#base;
    await stunBinding(this.#socket, servers, {
      timeoutMs: STUN_TIMEOUT_MS,
      signal,
      maySend: this.#maySend,
      onOutcome: ({ server, mapped }) => {
        if (!mapped || signal.aborted) return;
        const options = base === undefined || mapped.address.includes(":") ? { server } : { server, base };
        this.#mux.addLocalCandidate(localCandidate("reflexive", mapped, options));
      },
    });
  }

  async #openRelay(servers: readonly TurnServer[]): Promise<void> {
    const { signal } = this.#closing;
    try {
      const relay = await openTurnRelay({ socket: this.#socket, servers, signal, maySend: this.#maySend });
      if (signal.aborted) return void relay.close();
      this.#relays.push(relay);
      this.#mux.addRelay(relay);
    } catch (error) {
      // Other ways may do; where none does, the session's timeout says so.
      if (!this.#relayOnly || signal.aborted) return;
      const reason = `No relay: ${messageOf(error)} Your address is to stay hidden (relayOnly).`;
      this.#hopeless.abort(new RendezvousError("no-relay", reason, { cause: error }));
    }
  }
}
