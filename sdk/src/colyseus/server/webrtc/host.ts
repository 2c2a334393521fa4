import { createSocket } from "node:dgram";
import type { AuthContext } from "@colyseus/core";
import type { Endpoint } from "../../../net/endpoint.ts";
import { messageOf } from "../../../net/message-of.ts";
import { traceOf } from "../../../net/trace.ts";
import { CLOSE_GOING_AWAY } from "../../../session/close-code.ts";
import { SessionPump } from "../../../session/pump.ts";
import type { Session } from "../../../session/types.ts";
import type { TurnServer } from "../../../turn/open.ts";
import { KEEP_ALIVE_MS } from "../../webrtc/link.ts";
import { relayedAlone } from "../../webrtc/relayed-candidates.ts";
import type { ConnectEndpoint } from "../../wire/connect-request.ts";
import type { Seat } from "../../wire/seat.ts";
import type { SharedLimits } from "../../wire/traffic-limits.ts";
import { WEBRTC_PROTOCOL, type WebRTCReply } from "../../wire/webrtc-request.ts";
import type { Caller } from "../admission/caller.ts";
import { waitFor } from "../admission/refusal.ts";
import { type Asked, Wait } from "../entrances/seat-endpoint.ts";
import { type AnswerEndpoint, completeAnswer } from "./answer.ts";
import { loadLibrary, type NativeIceServer, type PeerConnectionLibrary } from "./library.ts";
import { nativeTurnServers } from "./native-turn-servers.ts";
import { formatOffer, triedCandidates } from "./offer.ts";
import { NativePeer } from "./peer.ts";
import type { ParsedWebRTCRequest } from "./request.ts";

export interface WebRTCOptions {
  /** The UDP port for all browsers, 1-65535. Default: the game's port + 10000 (7777: 17777), or the next one that is free. */
  port?: number;
  /**
   * STUN and TURN servers for the host's side: `stun:host:port`, `turn:user:secret@host:port`. Default none: needed only where the
   * port is neither open nor mapped.
   */
  iceServers?: readonly string[];
}

export interface WebRTCHostOptions extends WebRTCOptions {
  /** What one browser may take. */
  limits: SharedLimits;
  /** How long a silent browser is waited for, ms; 0 = for ever. */
  timeoutMs: number;
  /** Where the game's own socket can be reached. */
  endpoints: () => readonly ConnectEndpoint[];
  /** Addresses that the person who hosts announces, and the UDP port there, if it is another than ours. */
  announced?: () => { addresses: readonly string[]; port: number | undefined };
  /** Has routers forward another port; says where that is reached, once it is. */
  mapExtraPort: ((port: number) => () => Endpoint | undefined) | undefined;
  /** Our addresses stay hidden: browsers come by TURN servers alone. Default false. */
  relayOnly?: boolean;
  /** More browsers than these are not on their way in at once. */
  maxOffers: number;
  /** A browser has come in; `caller`, if any, made the offer. */
  onSession: (session: Session, seat: Seat, context: AuthContext, caller: Caller | undefined) => void;
}

/** What the host stands on; tests replace it. */
export interface WebRTCParts {
  load: () => Promise<PeerConnectionLibrary>;
  now: () => number;
  isFree: (port: number, address: string) => Promise<boolean>;
}

const REAL_PARTS: WebRTCParts = { load: loadLibrary, now: () => performance.now(), isFree };

const trace = traceOf("colyseus");

/** A browser that has its answer comes within this time, or not at all, ms. */
const PENDING_MS = 10_000;
/** Of a place that gets free as soon as one browser is in. */
const SOON_MS = 1000;
/** One seat's offers: a page that is loaded again makes another one. Each costs a certificate. */
const MAX_OFFERS = 4;
/** Not the next one, which is where people put their second game. */
const PORT_DISTANCE = 10_000;
const PORT_ATTEMPTS = 32;
/** RFC 8841 section 6: what every browser takes. Packets are far shorter. */
const MAX_MESSAGE_SIZE = 65_536;
/** Where the browsers are is looked at once in so many ticks. */
const TICKS_A_LOOK = 4;
/** Browsers hang up when they have read the goodbye. */
const GOODBYE_MS = 500;

interface Pending {
  peer: NativePeer | undefined;
  offers: number;
  expiresAt: number;
  /** Who shares a place with others; undefined behind a proxy. */
  site: string | undefined;
}

/** Lets browsers in by WebRTC, all on one UDP port beside the game's, which libdatachannel cannot share. */
export class WebRTCHost {
  readonly #options: WebRTCHostOptions;
  readonly #parts: WebRTCParts;
  readonly #pump: SessionPump;
  readonly #pending = new Map<string, Pending>();
  readonly #joined = new Set<NativePeer>();
  readonly #peers = new Set<NativePeer>();
  #library: PeerConnectionLibrary | undefined;
  #listener: { stop(): void } | undefined;
  #port = 0;
  #address = "*";
  #mapped: () => Endpoint | undefined = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #iceServers: readonly string[];
  #turnServers: readonly NativeIceServer[] = [];
  #closed = false;

  constructor(options: WebRTCHostOptions, parts: Partial<WebRTCParts> = {}) {
    this.#options = options;
    this.#iceServers = options.iceServers ?? [];
    this.#parts = { ...REAL_PARTS, ...parts };
    this.#pump = new SessionPump(this.#parts.now);
  }

  /** The UDP port for browsers; 0 before `open()`. */
  get port(): number {
    return this.#port;
  }

  /**
   * @param gamePort 10 000 above it is taken, or one after that
   * @param address `*` = all
   * @throws Error that says what to install, or which port is taken
   */
  async open(gamePort: number, address: string): Promise<void> {
    const library = await this.#parts.load();
    if (this.#options.relayOnly) {
      // Each peer connection has a socket of its own: libjuice allocates no relay on one that is shared.
      this.#library = library;
      this.#address = address;
      this.#watch();
      return;
    }
    const port = await this.#findPort(gamePort, address);
    if (this.#closed) return;
    this.#listener = holdPort(library, port, address);
    this.#library = library;
    this.#port = port;
    this.#address = address;
    if (this.#options.mapExtraPort) this.#mapped = this.#options.mapExtraPort(port);
    this.#watch();
  }

  /** STUN servers that a lobby names, where no others were chosen. */
  useStunServers(servers: readonly string[]): void {
    // libdatachannel knows no STUN over TLS.
    if (this.#options.iceServers === undefined) this.#iceServers = servers.filter((url) => url.startsWith("stun:"));
  }

  /** TURN servers that a lobby names, for a host whose addresses stay hidden. */
  useTurnServers(servers: readonly TurnServer[]): void {
    if (this.#options.relayOnly) this.#turnServers = nativeTurnServers(servers);
  }

  /**
   * @param from who made the offer
   * @param asker the address that the request came from
   * @param asked the addresses that it came to, as far as is known: they lead here over TCP, so most likely over UDP too
   * @returns the reply, or why there is none
   */
  async accept(
    { seat, offer }: Pick<ParsedWebRTCRequest, "seat" | "offer">,
    { context, caller }: Pick<Asked, "context" | "caller">,
    { asker, asked }: { asker: string; asked: readonly string[] },
  ): Promise<WebRTCReply | Wait | string | null> {
    const library = this.#library;
    if (!library || this.#closed) return null;
    const { roomId, sessionId, upgrade } = seat;
    const key = JSON.stringify([roomId, sessionId, upgrade]);
    const now = this.#parts.now();
    const site = caller?.site;
    const pending: Pending = this.#pending.get(key) ?? { peer: undefined, offers: 0, expiresAt: 0, site };
    // Who plays over WebSocket asks as long as WebRTC does not get through, and is slowed down before it comes here.
    if (upgrade === undefined && pending.offers >= MAX_OFFERS)
      return new Wait(waitFor(429, "Too many offers for this seat", pending.expiresAt - now));
    const { maxOffers } = this.#options;
    const isFull = this.#pending.size >= (upgrade === undefined ? maxOffers : maxOffers / 2);
    if (!this.#pending.has(key) && isFull && (upgrade !== undefined || !this.#makeWay(site)))
      return new Wait(waitFor(503, "Too many browsers are on their way in", SOON_MS));
    pending.offers++;
    pending.expiresAt = now + PENDING_MS;
    this.#pending.set(key, pending);
    // The browser has given the former one up.
    pending.peer?.close();
    const peer = this.#createPeer(library);
    pending.peer = peer;
    peer.onSession = (session) => {
      if (pending.peer !== peer) return;
      this.#pending.delete(key);
      peer.locate();
      this.#joined.add(peer);
      this.#options.onSession(session, seat, context, caller);
    };
    const { timeoutMs } = this.#options;
    try {
      const tried = { ...offer, candidates: triedCandidates(offer, asker) };
      const { relayOnly = false } = this.#options;
      const sdp = await peer.answer(formatOffer(tried), relayOnly || this.#servers.length > 0);
      const endpoints = relayOnly ? [] : this.#endpoints(asked);
      const answer = relayOnly ? hiddenAnswer(sdp) : completeAnswer(sdp, endpoints);
      if (trace.on)
        trace.event("webrtc-answered", { roomId: seat.roomId, asker, candidates: tried.candidates.length, endpoints });
      return { protocol: WEBRTC_PROTOCOL, answer, timeoutMs };
    } catch (error) {
      peer.close();
      if (trace.on) trace.event("webrtc-refused", { roomId: seat.roomId, asker });
      return `This offer cannot be answered: ${messageOf(error)}`;
    }
  }

  /** Says goodbye, waits half a second for browsers to have heard it, and gives the port back. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    for (const { peer } of this.#pending.values()) peer?.close();
    this.#pending.clear();
    for (const { session } of this.#peers) session?.close(CLOSE_GOING_AWAY, "the server shuts down");
    if (this.#peers.size > 0) await this.#goodbyes();
    for (const peer of this.#peers) peer.close();
    this.#pump.close();
    this.#listener?.stop();
  }

  get #relays(): (string | NativeIceServer)[] {
    return [...this.#turnServers, ...this.#iceServers.filter((url) => url.startsWith("turn:"))];
  }

  #watch(): void {
    this.#timer = setInterval(() => this.#tick(), KEEP_ALIVE_MS);
    this.#timer.unref();
  }

  /** Where a router forwards the port nobody needs to be asked what we look like from outside. */
  get #servers(): readonly string[] {
    return this.#mapped() ? [] : this.#iceServers;
  }

  /** The oldest of the site that has most gives its place up, if that site has more than this one would. */
  #makeWay(site: string | undefined): boolean {
    const counts = new Map<string | undefined, number>();
    for (const pending of this.#pending.values()) counts.set(pending.site, (counts.get(pending.site) ?? 0) + 1);
    const most = Math.max(...counts.values());
    if (most <= (counts.get(site) ?? 0) + 1) return false;
    for (const [key, pending] of this.#pending) {
      if (counts.get(pending.site) !== most) continue;
      this.#pending.delete(key);
      pending.peer?.close();
      return true;
    }
    return false;
  }

  #createPeer(library: PeerConnectionLibrary): NativePeer {
    const { timeoutMs, limits } = this.#options;
    const peer = new NativePeer(library, {
      config: {
        ...(this.#options.relayOnly
          ? { iceServers: this.#relays, iceTransportPolicy: "relay" as const, enableIceUdpMux: false }
          : {
              iceServers: [...this.#servers],
              enableIceUdpMux: true,
              portRangeBegin: this.#port,
              portRangeEnd: this.#port,
            }),
        ...(this.#address === "*" ? {} : { bindAddress: this.#address }),
        disableAutoNegotiation: true,
        maxMessageSize: MAX_MESSAGE_SIZE,
      },
      timeoutMs,
      limits,
      pump: this.#pump,
    });
    this.#peers.add(peer);
    peer.onClosed = () => {
      this.#peers.delete(peer);
      this.#joined.delete(peer);
    };
    return peer;
  }

  /** @param reached addresses that the browser has reached us by */
  #endpoints(reached: readonly string[]): AnswerEndpoint[] {
    const port = this.#port;
    const mapped = this.#mapped();
    const announced = this.#options.announced?.() ?? { addresses: [], port: undefined };
    const found: AnswerEndpoint[] = [];
    for (const address of [...announced.addresses, ...(announced.port === undefined ? [] : reached)]) {
      found.push({ type: "host", address, port: announced.port ?? port });
    }
    for (const address of reached) found.push({ type: "host", address, port });
    if (mapped) {
      found.push({ type: "host", ...mapped });
      // A router's outer address may be another than it knows, behind a second one that forwards all.
      for (const address of reached) found.push({ type: "host", address, port: mapped.port });
    }
    for (const { kind, address } of this.#options.endpoints()) {
      if (kind === "host") found.push({ type: "host", address, port });
      // Many NATs keep the port, and where it was mapped it is known.
      else if (kind === "reflexive") found.push({ type: "srflx", address, port: mapped?.port ?? port });
    }
    return found.filter(({ address }) => address !== "");
  }

  #tick(): void {
    const now = this.#parts.now();
    for (const [key, { peer, expiresAt }] of this.#pending) {
      if (expiresAt > now) continue;
      this.#pending.delete(key);
      peer?.close();
    }
    const looks = this.#ticks++ % TICKS_A_LOOK === 0;
    for (const peer of this.#joined) {
      if (looks) peer.locate();
      peer.tick();
    }
  }

  async #goodbyes(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, GOODBYE_MS);
      for (const peer of this.#peers) {
        peer.onClosed = () => {
          this.#peers.delete(peer);
          if (this.#peers.size > 0) return;
          clearTimeout(timer);
          resolve();
        };
      }
    });
  }

  async #findPort(gamePort: number, address: string): Promise<number> {
    const { port } = this.#options;
    if (port !== undefined) {
      if (await this.#parts.isFree(port, address)) return port;
      throw new Error(`UDP port ${port}, which is to be WebRTC's, cannot be had: it may be another program's.`);
    }
    for (let attempt = 0; attempt < PORT_ATTEMPTS; attempt++) {
      const distance = PORT_DISTANCE + attempt;
      const candidate = gamePort + (gamePort + distance <= 0xffff ? distance : -distance);
      if (await this.#parts.isFree(candidate, address)) return candidate;
    }
    throw new Error(`No UDP port near ${gamePort + PORT_DISTANCE} is free for WebRTC. Choose one: webrtc: { port: … }`);
  }
}

/** @throws Error where no relay was found */
function hiddenAnswer(sdp: string): string {
  const answer = relayedAlone(sdp);
  if (answer !== undefined) return answer;
  throw new Error("this host hides its address, and no TURN server relays for it over UDP");
}

/** Holds the port while nobody is here: otherwise it would be free between two players. */
function holdPort(library: PeerConnectionLibrary, port: number, address: string): { stop(): void } {
  try {
    return address === "*" ? new library.IceUdpMuxListener(port) : new library.IceUdpMuxListener(port, address);
  } catch (error) {
    throw new Error(`UDP port ${port} cannot be had for WebRTC: it may be another program's.`, { cause: error });
  }
}

/** libdatachannel says of a port that is taken no more than that something failed. */
async function isFree(port: number, address: string): Promise<boolean> {
  const families = address !== "*" ? [address.includes(":") ? 6 : 4] : [6, 4];
  for (const family of families) {
    const code = await bindError(port, address, family);
    if (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL") return code === undefined;
  }
  return false;
}

function bindError(port: number, address: string, family: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(family === 6 ? "udp6" : "udp4");
    socket.once("error", ({ code }: NodeJS.ErrnoException) => socket.close(() => resolve(code ?? "unknown")));
    const at = address === "*" ? {} : { address };
    socket.bind({ port, exclusive: true, ...at }, () => socket.close(() => resolve(undefined)));
  });
}
