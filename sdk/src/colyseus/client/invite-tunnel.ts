import { localCandidate } from "../../ice/candidate.ts";
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
import { Guessing } from "../../rendezvous/guessing.ts";
import type { IntroduceOptions } from "../../rendezvous/guest/introduce.ts";
import type { Introduction } from "../../rendezvous/sealed/introduction.ts";
import { sendInviteTunnelMessage, trickle } from "../../rendezvous/trickle.ts";
import { parseInvite } from "../../rendezvous/wire/invite.ts";
import { type InviteTunnelMessage, parseInviteTunnelMessage } from "../../rendezvous/wire/invite-tunnel.ts";
import { isLocalLobby } from "../../rendezvous/wire/local-lobby.ts";
import { connectSession } from "../../session/connect.ts";
import type { SessionPath, SessionPathState } from "../../session/path.ts";
import { stunBinding } from "../../stun/client.ts";
import { openTurnRelay } from "../../turn/open.ts";
import type { TurnRelay } from "../../turn/relay.ts";
import { Introductions } from "./introductions.ts";
import { InviteTunnelRequests } from "./invite-tunnel-requests.ts";
import type { ConnectSession } from "./udp-attempt.ts";

const trace = traceOf("colyseus");

/** Everything is asked at once, and the slowest way is through a relay. */
const SESSION_TIMEOUT_MS = 20_000;
const STUN_TIMEOUT_MS = 3_000;
const TRANSLATED = "192.0.0.2";

/** Carries an invited player's matchmaking and search for a path to the host, through an introduction. */
export class InviteTunnel {
  readonly #isLocal: boolean;
  readonly #introductions: Introductions;
  readonly #requests: InviteTunnelRequests;
  readonly #paths = new Map<number, InvitedPath>();
  #ids = 0;
  /** As `fetch`, to the host: see {@link InviteTunnelRequests}. */
  readonly fetch: typeof globalThis.fetch;

  private constructor(invite: string, options: IntroduceOptions) {
    this.#isLocal = isLocalLobby(parseInvite(invite)?.lobby ?? options.lobby);
    this.#introductions = new Introductions(invite, options);
    this.#introductions.onMessage = (bytes) => this.#receive(bytes);
    // A relayed path may still be made direct, by what both sides tell each other.
    this.#introductions.isNeeded = () => [...this.#paths.values()].some(({ path }) => path?.kind === "relayed");
    this.#requests = new InviteTunnelRequests(() => this.#introductions.get());
    this.fetch = this.#requests.fetch;
  }

  /** @throws RendezvousError as `introduce` */
  static async open(invite: string, options: IntroduceOptions): Promise<{ tunnel: InviteTunnel; endpoints: string[] }> {
    const tunnel = new InviteTunnel(invite, options);
    const { details } = await tunnel.#introductions.get();
    return { tunnel, endpoints: details.endpoints };
  }

  /** Finds a path by ICE (RFC 8445) and opens the session on it. */
  readonly connectSession: ConnectSession = async (token, { dialed: _, ...options }) => {
    const introduction = await this.#introductions.get();
    const prefix = await nat64.prefix();
    const path = new InvitedPath(introduction, ++this.#ids, this.#paths, { isLocal: this.#isLocal, prefix });
    try {
      return await connectSession(token, { ...options, path, timeoutMs: SESSION_TIMEOUT_MS });
    } catch (error) {
      path.close();
      throw error;
    }
  };

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
  readonly #guessing: Guessing;
  #relay: TurnRelay | undefined;
  #nat: NatView | undefined;
  #examining = false;

  constructor(
    introduction: Introduction,
    id: number,
    paths: Map<number, InvitedPath>,
    { isLocal, prefix }: { isLocal: boolean; prefix: NAT64Prefix | undefined },
  ) {
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
    const allowOutside = introduction.attested ? sharesAttestedNetwork : sharesNetwork;
    const allowRemote = isLocal ? onLocalNetwork : allowOutside;
    this.#peer = this.#mux.open({ role: "controlling", allowRemote, budget: this.#budget });
    this.#peer.onData = (data) => this.onData?.(data);
    this.#peer.onPath = () => this.onPath?.();
    paths.set(id, this);
    this.#forget = () => paths.delete(id);
    const told = [...this.#peer.localCandidates];
    if (trace.on) trace.event("path-asked", { id, localCandidates: told.length, isLocal });
    sendInviteTunnelMessage(introduction, { type: "path", id, ice: this.#peer.localCredentials, candidates: told });
    trickle(introduction, id, this.#peer, told);
    this.#guessing = new Guessing({
      introduction,
      id,
      mux: this.#mux,
      peer: this.#peer,
      leads: true,
      nat: () => this.#nat,
      examine: () => void this.#examine(introduction),
      signal: this.#closing.signal,
    });
    void this.#learn(introduction, interfaces.find(({ address }) => !address.includes(":"))?.address);
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
    this.#guessing.receive(message);
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

  /** What others see of us; told as it comes. */
  async #learn({ servers }: Introduction, base: string | undefined): Promise<void> {
    const { signal } = this.#closing;
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
