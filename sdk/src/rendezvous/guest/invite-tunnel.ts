import { type LocalCandidate, localCandidate } from "../../ice/candidate.ts";
import { type IceMux, IceMux as Mux } from "../../ice/mux.ts";
import type { IcePeer } from "../../ice/peer.ts";
import type { NatView } from "../../ice/port-prediction.ts";
import { onLocalNetwork, sharesAttestedNetwork, sharesNetwork } from "../../ice/remote-policy.ts";
import type { IcePairInfo } from "../../ice/types.ts";
import { natBehaviour } from "../../nat/behaviour-discovery.ts";
import { type NAT64Prefix, nat64 } from "../../net/nat64.ts";
import { traceOf } from "../../net/trace.ts";
import { UDPSocket } from "../../net/udp-socket.ts";
import type { IntroductionBudget } from "../../net/unanswered-budget.ts";
import { UnprovenAddress } from "../../net/unproven-address.ts";
import { reachableAddresses } from "../../net/usable-interfaces.ts";
import { type ConnectSessionOptions, connectSession } from "../../session/connect.ts";
import type { SessionPath, SessionPathState } from "../../session/path.ts";
import type { Session } from "../../session/types.ts";
import { stunBinding } from "../../stun/client.ts";
import { openTurnRelay } from "../../turn/open.ts";
import type { TurnRelay } from "../../turn/relay.ts";
import { Guessing } from "../guessing.ts";
import { DEFAULT_STUN_SERVERS } from "../mailbox/relay-list.ts";
import type { Introduction } from "../sealed/introduction.ts";
import { sendInviteTunnelMessage, trickle } from "../trickle.ts";
import { PUBLIC_LOBBY, parseInvite } from "../wire/invite.ts";
import {
  encodeInviteTunnelMessage,
  type InviteTunnelMessage,
  type PathMessage,
  parseInviteTunnelMessage,
} from "../wire/invite-tunnel.ts";
import { isLocalLobby } from "../wire/local-lobby.ts";
import type { TraversalServers } from "../wire/servers.ts";
import type { IntroduceOptions } from "./introduce.ts";
import { NODE_SOCKETS } from "./introduce-node.ts";
import { Introductions, unref } from "./introductions.ts";
import { InviteTunnelRequests } from "./invite-tunnel-requests.ts";

const trace = traceOf("rendezvous");

/** Everything is asked at once, and the slowest way is through a relay. */
const SESSION_TIMEOUT_MS = 20_000;
const STUN_TIMEOUT_MS = 3_000;
/** A path that was asked for along with the invite is kept so long for the first join, ms. */
const PREPARED_MS = 20_000;
const TRANSLATED = "192.0.0.2";

/** Carries an invited player's matchmaking and search for a path to the host, through an introduction. */
export class InviteTunnel {
  readonly #isLocal: boolean;
  readonly #introductions: Introductions;
  readonly #requests: InviteTunnelRequests;
  readonly #paths = new Map<number, InvitedPath>();
  #ids = 0;
  /** Through relays: the search that the first message asked for, until a session takes it. */
  #prepared: InvitedPath | undefined;
  /** As `fetch`, to the host: see {@link InviteTunnelRequests}. */
  readonly fetch: typeof globalThis.fetch;

  private constructor(invite: string, options: IntroduceOptions) {
    const lobby = parseInvite(invite)?.lobby ?? options.lobby;
    this.#isLocal = isLocalLobby(lobby);
    const opening = lobby === PUBLIC_LOBBY ? () => this.#openingMessages() : undefined;
    this.#introductions = new Introductions(invite, { ...options, opening }, NODE_SOCKETS);
    this.#introductions.onMessage = (bytes) => this.#receive(bytes);
    // A relayed path may still be made direct, by what both sides tell each other.
    this.#introductions.isNeeded = () => [...this.#paths.values()].some(({ path }) => path?.kind === "relayed");
    this.#requests = new InviteTunnelRequests(() => this.#introductions.get());
    this.fetch = this.#requests.fetch;
  }

  /** @throws RendezvousError as `introduce` */
  static async open(invite: string, options: IntroduceOptions): Promise<{ tunnel: InviteTunnel; endpoints: string[] }> {
    const tunnel = new InviteTunnel(invite, options);
    const preparing = tunnel.#prepare(invite, options);
    try {
      const introduction = await tunnel.#introductions.get();
      await preparing;
      // It may have come too late for the first message.
      if (tunnel.#prepared?.isAsked === true) tunnel.#prepared.attach(introduction);
      return { tunnel, endpoints: introduction.details.endpoints };
    } catch (error) {
      void preparing.then(() => tunnel.#takePrepared()?.close());
      throw error;
    }
  }

  /** Relays take a while to connect to: meanwhile we learn what others see of us, so that the first message can ask for a path. */
  async #prepare(invite: string, { stunServers = DEFAULT_STUN_SERVERS }: IntroduceOptions): Promise<void> {
    if (parseInvite(invite)?.lobby !== PUBLIC_LOBBY) return;
    const path = await this.#newPath(false);
    path.learn({ stun: [...stunServers], turn: [] });
    this.#prepared = path;
    unref(setTimeout(() => this.#takePrepared()?.close(), PREPARED_MS));
  }

  async #newPath(isAttested: boolean): Promise<InvitedPath> {
    const prefix = await nat64.prefix();
    return new InvitedPath(++this.#ids, this.#paths, { isLocal: this.#isLocal, isAttested, prefix });
  }

  #openingMessages(): Uint8Array[] {
    return this.#prepared === undefined ? [] : [encodeInviteTunnelMessage(this.#prepared.ask())];
  }

  #takePrepared(): InvitedPath | undefined {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    return prepared;
  }

  /** Finds a path by ICE (RFC 8445) and opens the session on it. */
  readonly connectSession = async (
    token: Uint8Array,
    { dialed: _, ...options }: ConnectSessionOptions,
  ): Promise<Session> => {
    const introduction = await this.#introductions.get();
    const prepared = this.#takePrepared();
    const path = prepared?.introduction === introduction ? prepared : await this.#newPath(introduction.attested);
    if (path !== prepared) {
      prepared?.close();
      path.learn(introduction.servers);
      sendInviteTunnelMessage(introduction, path.ask());
      path.attach(introduction);
    }
    try {
      return await connectSession(token, { ...options, path, timeoutMs: SESSION_TIMEOUT_MS });
    } catch (error) {
      path.close();
      throw error;
    }
  };

  /** Gives back what no session uses: the introduction under way, and a path that was asked for along with it. Sessions stay. */
  close(): void {
    this.#takePrepared()?.close();
    this.#introductions.close();
  }

  #receive(bytes: Uint8Array): void {
    const message = parseInviteTunnelMessage(bytes);
    if (message?.type === "response") this.#requests.receive(message);
    else if (message) this.#paths.get(message.id)?.receive(message, bytes.length);
  }
}

/** One session's socket, ICE and relay; they go when the session goes. */
class InvitedPath implements SessionPath {
  onData: SessionPath["onData"] = null;
  onPath: (() => void) | null = null;
  readonly #socket: UDPSocket;
  readonly #mux: IceMux;
  readonly #budget: IntroductionBudget;
  readonly #peer: IcePeer;
  readonly #closing = new AbortController();
  readonly #forget: () => void;
  readonly #id: number;
  /** Our IPv4 address on this network. */
  readonly #base: string | undefined;
  #told: LocalCandidate[] = [];
  #introduction: Introduction | undefined;
  #guessing: Guessing | undefined;
  /** What the host said along with its answer, before we were attached. */
  readonly #early: InviteTunnelMessage[] = [];
  #relay: TurnRelay | undefined;
  #nat: NatView | undefined;
  #examining = false;

  constructor(
    id: number,
    paths: Map<number, InvitedPath>,
    { isLocal, isAttested, prefix }: { isLocal: boolean; isAttested: boolean; prefix: NAT64Prefix | undefined },
  ) {
    this.#id = id;
    this.#socket = UDPSocket.open({ receiveBufferSize: 1 << 20, nat64: prefix });
    this.#mux = new Mux(this.#socket);
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
    return this.#told.length > 0;
  }

  /** Of which the search is. */
  get introduction(): Introduction | undefined {
    return this.#introduction;
  }

  /** What asks the host for a path, with what we know of ours so far. */
  ask(): PathMessage {
    this.#told = [...this.#peer.localCandidates];
    if (trace.on) trace.event("path-asked", { id: this.#id, localCandidates: this.#told.length });
    return { type: "path", id: this.#id, ice: this.#peer.localCredentials, candidates: this.#told };
  }

  /** Once the host has been asked: tells it what we learn later. */
  attach(introduction: Introduction): void {
    this.#introduction = introduction;
    trickle(introduction, this.#id, this.#peer, this.#told);
    this.#guessing = new Guessing({
      introduction,
      id: this.#id,
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
  learn(servers: TraversalServers): void {
    void this.#learn(servers);
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
    else this.#early.push(message);
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
    void (this.#relay?.close() ?? Promise.resolve()).then(() => this.#socket.close());
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

  async #learn(servers: TraversalServers): Promise<void> {
    const { signal } = this.#closing;
    const base = this.#base;
    // The lobby may name whom it likes.
    this.#budget.heard(JSON.stringify(servers).length);
    const maySend = (address: string, bytes: number): boolean => this.#budget.take(address, bytes, performance.now());
    const reflexive = stunBinding(this.#socket, servers.stun, {
      timeoutMs: STUN_TIMEOUT_MS,
      signal,
      maySend,
      onOutcome: ({ server, mapped }) => {
        if (!mapped || signal.aborted) return;
        const options = base === undefined || mapped.address.includes(":") ? { server } : { server, base };
        this.#mux.addLocalCandidate(localCandidate("reflexive", mapped, options));
      },
    });
    if (servers.turn.length > 0) {
      try {
        const relay = await openTurnRelay({ socket: this.#socket, servers: servers.turn, signal, maySend });
        if (signal.aborted) return void relay.close();
        this.#relay = relay;
        this.#mux.addRelay(relay);
      } catch {
        // Other ways may do; where none does, the session's timeout says so.
      }
    }
    await reflexive;
  }
}
