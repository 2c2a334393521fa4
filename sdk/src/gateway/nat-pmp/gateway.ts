import { EventEmitter } from "node:events";
import type { Clock } from "../../net/clock.ts";
import type { Announcement } from "../announcements.ts";
import { EpochTracker } from "../epoch.ts";
import { type Gateway, GatewayError, type GatewayEvents, type Lease, type LeaseCheck, type Wish } from "../gateway.ts";
import { NoAnswer, type PortControlSocket } from "../port-control-socket.ts";
import { NAT_PMP_RETRANSMIT, type RetransmitOptions } from "../retransmit.ts";
import type { GatewayInfo } from "../types.ts";
import {
  decodeNatPmpResponse,
  encodeAddressRequest,
  encodeNatPmpMap,
  NAT_PMP_RESULTS,
  type NatPmpMapRequest,
  type NatPmpResponse,
} from "./message.ts";

/** The specification's nine tries take two minutes; a gateway that answered the search answers within the first five. */
const SCHEDULE: RetransmitOptions = { ...NAT_PMP_RETRANSMIT, tries: 5 };
const PROBE: RetransmitOptions = { ...NAT_PMP_RETRANSMIT, tries: 3 };

type MapResponse = Extract<NatPmpResponse, { opcode: "map" }>;

export interface NatPmpGatewayOptions {
  socket: PortControlSocket;
  clock: Clock;
  externalAddress: string;
  epoch: number;
}

/** A NAT-PMP gateway as a {@link Gateway} (RFC 6886). */
export class NatPmpGateway extends EventEmitter<GatewayEvents> implements Gateway {
  readonly localAddress: string;
  readonly #socket: PortControlSocket;
  readonly #clock: Clock;
  readonly #epoch = new EpochTracker("nat-pmp");
  #externalAddress: string;

  constructor({ socket, clock, externalAddress, epoch }: NatPmpGatewayOptions) {
    super();
    this.#socket = socket.share();
    this.localAddress = socket.localAddress;
    this.#clock = clock;
    this.#externalAddress = externalAddress;
    this.#epoch.observe(epoch, clock.now());
  }

  get info(): GatewayInfo {
    return {
      via: "nat-pmp",
      name: "NAT-PMP router",
      address: this.#socket.gateway,
      externalAddress: this.#externalAddress,
    };
  }

  async request(wish: Wish, signal?: AbortSignal): Promise<Lease> {
    // Seconds, and never 0, which would delete. NAT-PMP has no permanent mappings.
    const lifetimeSeconds = wish.lifetimeSeconds || 86_400;
    const answer = await this.#ask({ ...wish, lifetimeSeconds }, SCHEDULE, signal);
    if (answer.result !== 0) throw explain(answer.result, wish);
    if (answer.lifetimeSeconds === 0 || answer.externalPort === 0) {
      throw new GatewayError("refused", "the router granted a mapping without a port or a lifetime");
    }
    return {
      transport: wish.transport,
      internalAddress: this.localAddress,
      internalPort: wish.internalPort,
      externalAddress: this.#externalAddress,
      externalPort: answer.externalPort,
      description: wish.description,
      lifetimeSeconds: answer.lifetimeSeconds,
      expiresAt: this.#clock.unixNow() + Math.min(answer.lifetimeSeconds, MAX_LIFETIME) * 1000,
      verified: true,
    };
  }

  renew(lease: Lease, lifetimeSeconds: number, signal?: AbortSignal): Promise<Lease> {
    // Section 3.3: the renewal suggests the port that was assigned.
    return this.request({ ...lease, exact: false, lifetimeSeconds }, signal);
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
    const { transport, internalPort } = lease;
    const schedule = { ...SCHEDULE, tries: 4 };
    const answer = await this.#ask(
      { transport, internalPort, externalPort: 0, lifetimeSeconds: 0 },
      schedule,
      signal,
    ).catch(() => undefined);
    return answer?.result === 0 && answer.lifetimeSeconds === 0;
  }

  async probe(signal?: AbortSignal): Promise<void> {
    let answer: Extract<NatPmpResponse, { opcode: "address" }>;
    try {
      answer = await this.#socket.request(
        encodeAddressRequest(),
        (bytes) => {
          const response = decodeNatPmpResponse(bytes);
          return response?.opcode === "address" ? response : undefined;
        },
        PROBE,
        signal,
      );
    } catch (error) {
      throw toGatewayError(error);
    }
    this.noteAddress(answer.result === 0 ? answer.externalAddress : "", answer.epoch);
  }

  /** An address and an epoch heard from this gateway (section 3.2.1). Whether they are as before. */
  noteAddress(externalAddress: string, epoch: number): boolean {
    const valid = this.#epoch.observe(epoch, this.#clock.now());
    const before = this.#externalAddress;
    this.#externalAddress = externalAddress;
    if (!valid) this.emit("suspect", "the router restarted and lost its state (NAT-PMP epoch)");
    else if (externalAddress !== before) {
      this.emit(
        "suspect",
        `the router's external address changed from ${before || "none"} to ${externalAddress || "none"}`,
      );
    }
    return valid && externalAddress === before;
  }

  hear(announcement: Announcement): void {
    if (announcement.kind !== "pcp" && announcement.kind !== "nat-pmp") return;
    // A router that speaks both announces itself in the words of the newer one, and has one epoch.
    const address = announcement.kind === "nat-pmp" ? announcement.externalAddress : this.#externalAddress;
    if (this.noteAddress(address, announcement.epoch)) this.emit("suspect", "the router announced that it restarted");
  }

  async close(): Promise<void> {
    this.removeAllListeners();
    this.#socket[Symbol.dispose]();
  }

  async #ask(request: NatPmpMapRequest, schedule: RetransmitOptions, signal?: AbortSignal): Promise<MapResponse> {
    try {
      const answer = await this.#socket.request(
        encodeNatPmpMap(request),
        (bytes): MapResponse | undefined => {
          const response = decodeNatPmpResponse(bytes);
          if (response?.opcode !== "map") return undefined;
          return response.transport === request.transport && response.internalPort === request.internalPort
            ? response
            : undefined;
        },
        schedule,
        signal,
      );
      this.noteAddress(this.#externalAddress, answer.epoch);
      return answer;
    } catch (error) {
      throw toGatewayError(error);
    }
  }
}

const MAX_LIFETIME = 86_400 * 7;

function explain(result: number, { transport, externalPort }: Wish): GatewayError {
  const name = `${NAT_PMP_RESULTS[result] ?? "unknown"}, ${result}`;
  switch (result) {
    case 2:
      return new GatewayError(
        "refused",
        `the router does not let programs map ports (${name}): allow it on the router's page`,
        { code: result },
      );
    case 3:
      return new GatewayError(
        "private",
        `the router has no public address to map a port of (${name}): it is not connected, or stands behind another NAT`,
        { code: result },
      );
    case 4:
      return new GatewayError(
        "full",
        `the router has no room for ${transport.toUpperCase()} port ${externalPort} (${name}): remove old mappings, or restart it`,
        { code: result },
      );
    default:
      return new GatewayError("refused", `the router refused (${name})`, { code: result });
  }
}

function toGatewayError(error: unknown): unknown {
  return error instanceof NoAnswer ? new GatewayError("unreachable", error.message, { cause: error }) : error;
}
