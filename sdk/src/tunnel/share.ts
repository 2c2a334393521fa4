/** The host's end: shares ports of a local program with the guests of an invite. */
import { randomBytes } from "node:crypto";
import { EventEmitter } from "node:events";
import { isIP } from "node:net";
import { ConnectivityManager } from "../connectivity/manager/manager.ts";
import type { ConnectivityOptions } from "../connectivity/options.ts";
import type { Reachability } from "../connectivity/reachability.ts";
import type { NatView } from "../ice/port-prediction.ts";
import { printable } from "../net/printable.ts";
import { netcodeReady } from "../netcode/sodium.ts";
import { serveIntroducedPaths } from "../rendezvous/host/introduced-paths.ts";
import type { Introduction } from "../rendezvous/sealed/introduction.ts";
import { sendInviteTunnelMessage } from "../rendezvous/trickle.ts";
import type { RendezvousError } from "../rendezvous/wire/errors.ts";
import { type Invite, PUBLIC_LOBBY } from "../rendezvous/wire/invite.ts";
import type { RequestMessage } from "../rendezvous/wire/invite-tunnel-http.ts";
import { CLOSE_TRY_AGAIN_LATER } from "../session/close-code.ts";
import type { SessionPathKind } from "../session/path.ts";
import { UDPSessionServer } from "../session/server.ts";
import type { Session } from "../session/types.ts";
import { Guests } from "./host/guests.ts";
import { TunnelListing } from "./host/listing.ts";
import { writeProxyHeader } from "./host/proxy-protocol.ts";
import type { SharedGuest } from "./host/shared-guest.ts";
import { encodeOffer, parseRequest, TUNNEL_PATH, TUNNEL_PROTOCOL } from "./wire/offer.ts";
import { parsePorts, type SharedPort, type TunnelPort } from "./wire/ports.ts";
import { TUNNEL_PACKET_BYTES } from "./wire/protocol.ts";

/** Options of {@link share}. */
export interface ShareOptions {
  /** What guests may reach, and nothing else: `7777` for UDP and TCP, `"7777/udp"`, `"7777/tcp"`. Up to 64. */
  ports: readonly SharedPort[];
  /** What guests are told, up to 64 characters. Default: none. */
  name?: string;
  /** How guests find the host: a lobby's URL, or `public` for public relays. Default `public`. */
  lobby?: string;
  /** Guests at once, 1-1000. Default 100. */
  maxGuests?: number;
  /** The local program's address, where it does not listen on a loopback address. Default: 127.0.0.1, else ::1. */
  address?: string;
  /** Tells the local program each guest's real address, by the PROXY protocol, version 2; for TCP. Default false. */
  proxyProtocol?: boolean;
  /** Keeps the invite over restarts; see `HostRegistrationOptions`. Default: a new invite each time. */
  secretFile?: string | undefined;
  /** With `public`: see `HostRegistrationOptions`. */
  relays?: readonly string[] | undefined;
  /** STUN servers in place of the package's list, with `public`; see `HostRegistrationOptions`. */
  stunServers?: readonly string[] | undefined;
  /** The page of the invite's link, with `public`; see `HostRegistrationOptions`. */
  page?: string | undefined;
  /** The ladder's; `port` is the tunnel's own port, not the shared one. Default: any free one. */
  connectivity?: ConnectivityOptions;
  /** Ends it. */
  signal?: AbortSignal;
}

/** A guest, as people see it. */
export interface GuestInfo {
  /** Counts the guests of this share from 1. */
  readonly guest: number;
  /** How it is reached: `direct`, `punched` or `relayed`. */
  readonly path: SessionPathKind;
  /** The address that this guest has at the local program, to be found in its logs; 127.0.0.1 where the system has no other. */
  readonly address: string;
  /** The guest's own address. */
  readonly remote: string;
}

/** How it goes with a guest, for a status screen. */
export interface GuestStatus extends GuestInfo {
  /** Smoothed round trip of its session, ms. */
  readonly rttMs: number;
  /** Share of our packets lost, 0-1. */
  readonly loss: number;
  /** Bytes of its session's packets to this host. */
  readonly bytesIn: number;
  /** Bytes of its session's packets to the guest. */
  readonly bytesOut: number;
  /** Datagrams to the guest since it came first. */
  readonly datagramsOut: number;
  /** Of `datagramsOut`: longer than one packet, so that the loss of either part is theirs. */
  readonly fragmented: number;
  /** Its sources of UDP, each with a socket towards the local program. */
  readonly flows: number;
  /** Its TCP connections that are open now. */
  readonly streams: number;
}

/** Events of a {@link Share}. */
export interface ShareEvents {
  /** What is known of the ways in has changed. */
  reachability: [reachability: Reachability];
  /** The invite is known to the lobby or the relays: after the first time, again after each loss. */
  invite: [invite: Invite];
  /** The lobby or the relays are not there, or have gone; guests who are in stay. The next attempt follows by itself. */
  lost: [error: RendezvousError, retryInMs: number];
  /** No more guests can come: the lobby refused for good. Those who are in stay. */
  failed: [error: RendezvousError];
  /** A guest is in, for the first time or again. */
  joined: [guest: GuestInfo];
  /** A guest's path is another one. */
  path: [guest: GuestInfo];
  /** A guest's session has ended; its flows wait for it for 30 s. */
  left: [guest: GuestInfo];
  /** A guest connected to a TCP port where nobody listens yet. */
  refused: [port: number];
  /** `close()` is done, or `signal` has ended it. */
  closed: [];
}

const DEFAULT_MAX_GUESTS = 100;
const MOST_GUESTS = 1000;
const GUEST_ID_BYTES = 16;
/** Longer than most games' own time-outs, so that what slept goes on where the network does. */
const TIMEOUT_SECONDS = 30;

/** Ports of a local program that are shared, until it is closed. */
export class Share extends EventEmitter<ShareEvents> implements AsyncDisposable {
  /** What is shared: each protocol counts. */
  readonly ports: readonly TunnelPort[];
  /** What guests are told, safe to show; may be empty. */
  readonly name: string;
  /** The ladder of the tunnel's own port. It closes with the share. */
  readonly connectivity: ConnectivityManager;
  /** Known once the lobby or the relays have been reached. */
  invite: Invite | undefined;
  readonly #guests: Guests;
  readonly #listing: TunnelListing;
  readonly #sessions: UDPSessionServer;
  readonly #signal: AbortSignal | undefined;
  #closing: Promise<void> | undefined;

  /** @internal {@link share} makes one. */
  constructor(options: ShareOptions, connectivity: ConnectivityManager) {
    super();
    const { maxGuests = DEFAULT_MAX_GUESTS, name = "", lobby = PUBLIC_LOBBY, proxyProtocol = false } = options;
    this.ports = parsePorts(options.ports);
    this.name = printable(name).slice(0, 64);
    this.connectivity = connectivity;
    this.#signal = options.signal;
    this.#guests = new Guests({
      ports: this.ports,
      address: options.address,
      maxGuests,
      now: () => performance.now(),
      onJoined: (guest) => this.emit("joined", infoOf(guest)),
      onPath: (guest) => this.emit("path", infoOf(guest)),
      onLeft: (guest) => this.emit("left", infoOf(guest)),
      onRefused: (port) => this.emit("refused", port),
      onDialed: (guest, socket) => {
        if (proxyProtocol && guest.session) writeProxyHeader(socket, guest.session.remote);
      },
    });
    this.#sessions = new UDPSessionServer(connectivity.bind(), {
      maxClients: maxGuests + 1,
      maxPacketBytes: TUNNEL_PACKET_BYTES,
    });
    this.#sessions.onSession = (session) => this.#accept(session);
    this.#listing = new TunnelListing({ ...options, lobby, name: this.name || "Shared by Sallyport" }, connectivity);
    const { registration } = this.#listing;
    registration.on("registered", (invite) => {
      this.invite = invite;
      this.emit("invite", invite);
    });
    registration.on("lost", (error, retryInMs) => this.emit("lost", error, retryInMs));
    registration.on("failed", (error) => this.emit("failed", error));
    registration.on("introduction", (introduction) => this.#serve(introduction));
    connectivity.on("change", (reachability) => this.emit("reachability", reachability));
    // Both go on trying by themselves, and their events say how it goes.
    connectivity.open().catch(() => undefined);
    registration.open().catch(() => undefined);
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Who is in. */
  get guests(): GuestStatus[] {
    return this.#guests.present.map(statusOf);
  }

  /** Takes the invite back, and answers with another. Guests who are in stay. @throws RendezvousError */
  async newInvite(): Promise<Invite> {
    return await this.#listing.registration.newInvite();
  }

  /** Ends every guest's session, gives mappings back and closes all sockets. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** As `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  readonly #onAbort = (): void => void this.close();

  /** Opens paths for an introduced guest, and answers its request for a session. */
  #serve(introduction: Introduction): void {
    const { ice } = this.connectivity;
    serveIntroducedPaths(introduction, {
      sessions: this.#sessions,
      ice,
      nat: () => natOf(this.connectivity.reachability),
      isLocal: this.#listing.isLocal,
      attested: introduction.attested,
      onRequest: (request) => {
        const [status, body] = this.#answer(request);
        const headers = { "content-type": "application/json" };
        sendInviteTunnelMessage(introduction, { type: "response", id: request.id, status, headers, body });
      },
    });
  }

  #answer({ method, path, body }: RequestMessage): [status: number, body: string] {
    if (method !== "POST" || path !== TUNNEL_PATH) {
      return refusal(404, "This invite is for a shared port: sallyport join takes it.");
    }
    const request = parseRequest(body);
    if (request === undefined) return refusal(400, "That is no request for a shared port.");
    if (request.protocol !== TUNNEL_PROTOCOL) {
      const older = request.protocol < TUNNEL_PROTOCOL ? "guest" : "host";
      return refusal(426, `Host and guest have different versions of Sallyport: update the ${older}'s.`);
    }
    if (!this.#guests.hasRoom(request.guest)) return refusal(503, "The host has as many guests as it takes.");
    const token = this.#sessions.createToken({
      clientId: randomBytes(8).readBigUInt64LE(),
      // By a path alone: no address is dialed.
      addresses: [{ address: "127.0.0.1", port: this.connectivity.port }],
      userData: Buffer.from(request.guest, "base64url"),
      timeoutSeconds: TIMEOUT_SECONDS,
    });
    return [200, encodeOffer({ token, name: this.name, ports: [...this.ports] })];
  }

  #accept(session: Session): void {
    const id = Buffer.from(session.userData.subarray(0, GUEST_ID_BYTES)).toString("base64url");
    if (this.#guests.hasRoom(id)) this.#guests.add(id, session);
    else session.close(CLOSE_TRY_AGAIN_LATER, "The host has as many guests as it takes.");
  }

  async #close(): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    const listing = this.#listing.close();
    await this.#sessions.close();
    this.#guests.close();
    await Promise.all([listing, this.connectivity.close()]);
    this.emit("closed");
  }
}

/**
 * Shares ports of a local program with whoever has the invite, as a game server's with friends. Answers when it listens; the invite comes
 * as an event, and `close()` or `signal` ends it.
 * @throws RangeError for options out of their ranges
 * @throws RendezvousError `invalid` for a lobby, relays or STUN servers that are none
 */
export async function share(options: ShareOptions): Promise<Share> {
  const { maxGuests = DEFAULT_MAX_GUESTS, name, connectivity, signal } = options;
  if (!Number.isInteger(maxGuests) || maxGuests < 1 || maxGuests > MOST_GUESTS) {
    throw new RangeError(`maxGuests is ${maxGuests}, it must be a whole number from 1 to ${MOST_GUESTS}.`);
  }
  if (options.address !== undefined && isIP(options.address) === 0) {
    throw new RangeError(`address is "${options.address}", it must be an IP address of this machine.`);
  }
  parsePorts(options.ports);
  signal?.throwIfAborted();
  await netcodeReady();
  const manager = new ConnectivityManager({
    description: `Sallyport ${name ?? "share"}`.slice(0, 64),
    port: 0,
    protocol: "udp",
    ...connectivity,
  });
  try {
    return new Share(options, manager);
  } catch (error) {
    await manager.close();
    throw error;
  }
}

function infoOf(guest: SharedGuest): GuestInfo {
  return { guest: guest.number, path: guest.path, address: guest.source, remote: guest.remote };
}

function statusOf(guest: SharedGuest): GuestStatus {
  const { rttMs = 0, loss = 0, bytesIn = 0, bytesOut = 0 } = guest.session?.stats ?? {};
  const { datagramsOut, fragmented } = guest.line.counters;
  const { flows, streams } = guest;
  return { ...infoOf(guest), rttMs, loss, bytesIn, bytesOut, datagramsOut, fragmented, flows: flows.size, streams };
}

function natOf({ nat: { mapping, filtering } }: Reachability): NatView | undefined {
  return mapping === "unknown" || filtering === "unknown" ? undefined : { mapping, filtering };
}

function refusal(status: number, error: string): [status: number, body: string] {
  return [status, JSON.stringify({ error })];
}
