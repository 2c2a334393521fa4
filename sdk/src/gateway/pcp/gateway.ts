import { randomBytes } from "node:crypto";
import { EventEmitter } from "node:events";
import type { Clock } from "../../net/clock.ts";
import type { Announcement } from "../announcements.ts";
import { EpochTracker } from "../epoch.ts";
import { type Gateway, GatewayError, type GatewayEvents, type Lease, type LeaseCheck, type Wish } from "../gateway.ts";
import { decodeNatPmpResponse, encodeAddressRequest } from "../nat-pmp/message.ts";
import { NoAnswer, type PortControlSocket } from "../port-control-socket.ts";
import { PCP_RETRANSMIT, type RetransmitOptions } from "../retransmit.ts";
import type { GatewayInfo, Transport } from "../types.ts";
import {
  decodePcpResponse,
  encodePcpAnnounce,
  encodePcpMap,
  NONCE_LENGTH,
  PCP_RESULTS,
  type PcpMapRequest,
  type PcpResponse,
} from "./message.ts";

/** A request that decides something is given up after about 6 s, with the pauses of {@link PCP_RETRANSMIT}. */
const SCHEDULE: RetransmitOptions = { ...PCP_RETRANSMIT, tries: 5 };
/** A sign of life is asked for three times. */
const PROBE: RetransmitOptions = { ...PCP_RETRANSMIT, tries: 3 };

/**
 * The nonces of this process' mappings. A mapping keeps its nonce through renewals, retries, and the router's being lost and
 * found again (section 11.2); it is forgotten with the mapping.
 */
const nonces = new Map<string, Uint8Array>();

export interface PcpGatewayOptions {
  socket: PortControlSocket;
  clock: Clock;
  /** As NAT-PMP told it, which PCP itself tells with a mapping only. */
  externalAddress?: string;
  /** The answer by which the gateway was found. */
  epoch?: number;
  /** It answered NAT-PMP too, which tells its external address without a mapping. */
  speaksNatPmp?: boolean;
}

/** A PCP server as a {@link Gateway} (RFC 6887 section 11). */
export class PcpGateway extends EventEmitter<GatewayEvents> implements Gateway {
  readonly localAddress: string;
  readonly #socket: PortControlSocket;
  readonly #clock: Clock;
  readonly #speaksNatPmp: boolean;
  readonly #epoch = new EpochTracker("pcp");
  #externalAddress: string;
  /** PREFER_FAILURE is not understood here. */
  #noOptions = false;

  constructor({ socket, clock, externalAddress = "", epoch, speaksNatPmp = false }: PcpGatewayOptions) {
    super();
    this.#socket = socket.share();
    this.localAddress = socket.localAddress;
    this.#clock = clock;
    this.#speaksNatPmp = speaksNatPmp;
    this.#externalAddress = externalAddress;
    if (epoch !== undefined) this.#epoch.observe(epoch, clock.now());
  }

  nonceFor(transport: Transport, internalPort: number): Uint8Array {
    const key = this.#keyOf(transport, internalPort);
    let nonce = nonces.get(key);
    if (!nonce) nonces.set(key, (nonce = new Uint8Array(randomBytes(NONCE_LENGTH))));
    return nonce;
  }

  get info(): GatewayInfo {
    return { via: "pcp", name: "PCP router", address: this.#socket.gateway, externalAddress: this.#externalAddress };
  }

  request(wish: Wish, signal?: AbortSignal): Promise<Lease> {
    return this.#map(wish, wish.exact && !this.#noOptions, signal);
  }

  renew(lease: Lease, lifetimeSeconds: number, signal?: AbortSignal): Promise<Lease> {
    return this.#map({ ...lease, exact: false, lifetimeSeconds }, false, signal);
  }

  async check(lease: Lease, signal?: AbortSignal): Promise<LeaseCheck> {
    try {
      return { state: "held", lease: await this.renew(lease, Math.max(lease.lifetimeSeconds, 120), signal) };
    } catch (error) {
      if (error instanceof GatewayError && error.kind !== "unreachable") return { state: "gone", lease };
      return { state: "unknown", lease };
    }
  }

  async release(lease: Lease, signal?: AbortSignal): Promise<boolean> {
    const key = this.#keyOf(lease.transport, lease.internalPort);
    const nonce = lease.nonce ?? nonces.get(key);
    // Never granted and never asked for.
    if (nonce === undefined) return true;
    const answer = await this.#ask(
      {
        nonce,
        transport: lease.transport,
        internalPort: lease.internalPort,
        externalPort: 0,
        externalAddress: this.#anyAddress,
        clientAddress: this.localAddress,
        lifetimeSeconds: 0,
        preferFailure: false,
      },
      { ...SCHEDULE, tries: 4 },
      signal,
    ).catch(() => undefined);
    // Section 15.1: success also when there was nothing to delete. Where there was nothing, miniupnpd says NO_RESOURCES, which
    // a deletion cannot lack; and NOT_AUTHORIZED where somebody else's nonce stands on it by now.
    const gone =
      answer !== undefined &&
      (answer.result === 0 ? answer.lifetimeSeconds === 0 : answer.result === 8 || answer.result === 2);
    if (gone) nonces.delete(key);
    return gone;
  }

  async probe(signal?: AbortSignal): Promise<void> {
    let answer: PcpResponse;
    try {
      answer = await this.#socket.request(
        encodePcpAnnounce(this.localAddress),
        (bytes) => {
          const response = decodePcpResponse(bytes);
          return response?.opcode === "announce" ? response : undefined;
        },
        PROBE,
        signal,
      );
    } catch (error) {
      throw toGatewayError(error);
    }
    this.noteEpoch(answer.epoch);
    if (this.#speaksNatPmp) await this.#probeAddress(signal);
  }

  /** ANNOUNCE does not tell the external address; a change of it need not begin a new epoch. */
  async #probeAddress(signal?: AbortSignal): Promise<void> {
    const read = (bytes: Uint8Array): string | undefined => {
      const response = decodeNatPmpResponse(bytes);
      return response?.opcode === "address" ? (response.result === 0 ? response.externalAddress : "") : undefined;
    };
    const address = await this.#socket
      .request(encodeAddressRequest(), read, PROBE, signal)
      .catch(() => this.#externalAddress);
    if (address === this.#externalAddress) return;
    const before = this.#externalAddress;
    this.#externalAddress = address;
    this.emit("suspect", `the router's external address changed from ${before || "none"} to ${address || "none"}`);
  }

  /** An epoch heard from this gateway, in an answer or an announcement. */
  noteEpoch(epoch: number): boolean {
    const valid = this.#epoch.observe(epoch, this.#clock.now());
    if (!valid) this.emit("suspect", "the router restarted and lost its state (PCP epoch)");
    return valid;
  }

  hear(announcement: Announcement): void {
    if (announcement.kind !== "pcp" && announcement.kind !== "nat-pmp") return;
    // A server announces itself after a restart (section 14.1.1) or a change of its address (RFC 6886 section 3.2.1). An epoch
    // that still fits is no proof to the contrary: it may have restarted just after it had started.
    if (this.noteEpoch(announcement.epoch))
      this.emit("suspect", "the router announced that it restarted or changed its address");
  }

  async close(): Promise<void> {
    this.removeAllListeners();
    this.#socket[Symbol.dispose]();
  }

  #keyOf(transport: Transport, internalPort: number): string {
    return `${this.#socket.gateway} ${this.localAddress} ${transport} ${internalPort}`;
  }

  /** Section 11.1: "any", in the family of the client. */
  get #anyAddress(): string {
    return this.localAddress.includes(":") ? "::" : "0.0.0.0";
  }

  async #map(wish: Wish & { externalAddress?: string }, preferFailure: boolean, signal?: AbortSignal): Promise<Lease> {
    const nonce = wish.nonce ?? this.nonceFor(wish.transport, wish.internalPort);
    const answer = await this.#ask(
      {
        nonce,
        transport: wish.transport,
        internalPort: wish.internalPort,
        externalPort: wish.externalPort,
        externalAddress: wish.externalAddress || this.#anyAddress,
        clientAddress: this.localAddress,
        // PCP has no permanent mappings: the longest that servers commonly grant is a day.
        lifetimeSeconds: wish.lifetimeSeconds || 86_400,
        preferFailure,
      },
      SCHEDULE,
      signal,
    );
    if (preferFailure && (answer.result === 5 || answer.result === 6)) {
      this.#noOptions = true;
      return this.#map(wish, false, signal);
    }
    if (answer.result !== 0 || answer.map === undefined) throw explain(answer.result, wish);
    if (answer.lifetimeSeconds === 0 || answer.map.externalPort === 0)
      throw new GatewayError("refused", "the router granted a mapping without a port or a lifetime");
    this.#externalAddress = answer.map.externalAddress;
    return {
      transport: wish.transport,
      internalAddress: this.localAddress,
      internalPort: wish.internalPort,
      externalAddress: answer.map.externalAddress,
      externalPort: answer.map.externalPort,
      description: wish.description,
      lifetimeSeconds: answer.lifetimeSeconds,
      expiresAt: this.#clock.unixNow() + Math.min(answer.lifetimeSeconds, MAX_LIFETIME) * 1000,
      // A PCP answer is the server's own word on the mapping.
      verified: true,
      nonce,
    };
  }

  async #ask(request: PcpMapRequest, schedule: RetransmitOptions, signal?: AbortSignal): Promise<PcpResponse> {
    let answer: PcpResponse;
    try {
      answer = await this.#socket.request(
        encodePcpMap(request),
        (bytes) => {
          const response = decodePcpResponse(bytes);
          return response && answers(response, request) ? response : undefined;
        },
        schedule,
        signal,
      );
    } catch (error) {
      throw toGatewayError(error);
    }
    this.noteEpoch(answer.epoch);
    return answer;
  }
}

/** RFC 6887 section 15: more than a day is not to be relied on. */
const MAX_LIFETIME = 86_400 * 7;

/** Section 11.4: protocol, internal port and nonce tell whose answer it is. */
function answers({ map }: PcpResponse, request: PcpMapRequest): boolean {
  return (
    map !== undefined &&
    map.transport === request.transport &&
    map.internalPort === request.internalPort &&
    map.nonce.every((byte, index) => byte === request.nonce[index])
  );
}

function explain(result: number, { transport, externalPort }: Wish): GatewayError {
  const port = `${transport.toUpperCase()} port ${externalPort}`;
  const name = `${PCP_RESULTS[result] ?? "unknown"}, ${result}`;
  switch (result) {
    case 2:
      return new GatewayError(
        "refused",
        `the router does not let programs map ports (${name}): allow it on the router's page`,
        { code: result },
      );
    case 7:
      return new GatewayError(
        "private",
        `the router has no connection to the internet (${name}): check its modem or its line`,
        { code: result },
      );
    case 8:
    case 10:
      return new GatewayError(
        "full",
        `the router has no room for another mapping (${name}): remove old ones, or restart it`,
        { code: result },
      );
    case 11:
      return new GatewayError("conflict", `${port} is taken (${name})`, { code: result });
    case 12:
      return new GatewayError(
        "private",
        `another NAT stands between this computer and the router that answered (${name}): double NAT`,
        { code: result },
      );
    default:
      return new GatewayError("refused", `the router refused (${name})`, { code: result });
  }
}

function toGatewayError(error: unknown): unknown {
  return error instanceof NoAnswer ? new GatewayError("unreachable", error.message, { cause: error }) : error;
}
