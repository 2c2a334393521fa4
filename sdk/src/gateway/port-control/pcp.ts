import { randomBytes } from "node:crypto";
import type { Lease, PortRequest } from "../gateway.ts";
import type { Transport } from "../types.ts";
import {
  addressChanged,
  PortControlGateway,
  type PortControlGatewayOptions,
  type PortControlGrant,
  type PortControlProtocol,
  type ResultMeaning,
} from "./driver.ts";
import { encodeAddressRequest, readAddressResponse } from "./nat-pmp-message.ts";
import {
  decodePcpResponse,
  encodePcpAnnounce,
  encodePcpMap,
  NONCE_LENGTH,
  PCP_RESULT_NAMES,
  type PcpMapRequest,
  type PcpResponse,
  PcpResult,
} from "./pcp-message.ts";
import { PCP_RETRANSMIT, type RetransmitOptions } from "./retransmit.ts";

const NO_ROOM: ResultMeaning = {
  kind: "full",
  what: "the router has no room for another mapping",
  advice: "remove old ones, or restart it",
};

const PROTOCOL: PortControlProtocol = {
  via: "pcp",
  title: "PCP",
  resultNames: PCP_RESULT_NAMES,
  meanings: {
    [PcpResult.NOT_AUTHORIZED]: {
      kind: "forbidden",
      what: (port) => `the router does not let programs map ports, or not ${port}`,
      advice: "allow it in the router's settings, or let the game use a port of the range that is allowed",
    },
    [PcpResult.NETWORK_FAILURE]: {
      kind: "private",
      what: "the router has no connection to the internet",
      advice: "check its modem or its line",
    },
    [PcpResult.NO_RESOURCES]: NO_ROOM,
    [PcpResult.USER_EX_QUOTA]: NO_ROOM,
    [PcpResult.CANNOT_PROVIDE_EXTERNAL]: { kind: "conflict", what: (port) => `${port} is taken` },
    [PcpResult.ADDRESS_MISMATCH]: {
      kind: "private",
      what: "another NAT stands between this computer and the router that answered",
      advice: "double NAT",
    },
  },
  // About 6 s.
  schedule: { ...PCP_RETRANSMIT, tries: 5 },
  releaseSchedule: { ...PCP_RETRANSMIT, tries: 4 },
  probeSchedule: { ...PCP_RETRANSMIT, tries: 3 },
};

/** The server does not know the option, or not in this place: it is asked without. */
const REFUSES_OPTION: ReadonlySet<number> = new Set([PcpResult.UNSUPP_OPTION, PcpResult.MALFORMED_OPTION]);

/**
 * After a deletion (section 15.1) the mapping is gone by these answers too. Where there is nothing to delete, miniupnpd
 * says NO_RESOURCES; where another nonce's mapping took the place, NOT_AUTHORIZED.
 */
const NOTHING_LEFT: ReadonlySet<number> = new Set([PcpResult.NO_RESOURCES, PcpResult.NOT_AUTHORIZED]);

/**
 * The nonces of this process' mappings. A mapping keeps its nonce through renewals and retries, also when its router is lost
 * and found again (section 11.2). The nonce is forgotten with the mapping.
 */
const nonces = new Map<string, Uint8Array>();

export interface PcpGatewayOptions extends PortControlGatewayOptions {
  /** It answered NAT-PMP too, which tells its external address without a mapping. */
  speaksNatPmp?: boolean;
}

/** The driver of PCP (RFC 6887 section 11). */
export class PcpGateway extends PortControlGateway {
  readonly #speaksNatPmp: boolean;
  /** The server does not understand PREFER_FAILURE (section 13.2). */
  #refusesOptions = false;

  constructor({ speaksNatPmp = false, ...options }: PcpGatewayOptions) {
    super(PROTOCOL, options);
    this.#speaksNatPmp = speaksNatPmp;
  }

  nonceFor(transport: Transport, internalPort: number): Uint8Array {
    const key = this.#keyOf(transport, internalPort);
    let nonce = nonces.get(key);
    if (!nonce) nonces.set(key, (nonce = new Uint8Array(randomBytes(NONCE_LENGTH))));
    return nonce;
  }

  async release({ transport, internalPort, nonce: given }: Lease, signal?: AbortSignal): Promise<boolean> {
    const key = this.#keyOf(transport, internalPort);
    const nonce = given ?? nonces.get(key);
    // Never granted and never asked for.
    if (nonce === undefined) return true;
    const deletion: PcpMapRequest = {
      nonce,
      transport,
      internalPort,
      externalPort: 0,
      externalAddress: this.#anyAddress,
      clientAddress: this.localAddress,
      lifetimeSeconds: 0,
      preferFailure: false,
    };
    const answer = await this.#ask(deletion, PROTOCOL.releaseSchedule, signal).catch(() => undefined);
    if (answer === undefined) return false;
    const isGone = answer.result === PcpResult.SUCCESS ? answer.lifetimeSeconds === 0 : NOTHING_LEFT.has(answer.result);
    if (isGone) nonces.delete(key);
    return isGone;
  }

  async probe(signal?: AbortSignal): Promise<void> {
    const read = (bytes: Uint8Array): PcpResponse | undefined => {
      const response = decodePcpResponse(bytes);
      return response?.opcode === "announce" ? response : undefined;
    };
    const answer = await this.ask(encodePcpAnnounce(this.localAddress), read, PROTOCOL.probeSchedule, signal);
    this.observe(answer.epoch);
    if (this.#speaksNatPmp) await this.#probeAddress(signal);
  }

  /** ANNOUNCE does not tell the external address, and a new address need not begin a new epoch. */
  async #probeAddress(signal?: AbortSignal): Promise<void> {
    const answer = await this.ask(encodeAddressRequest(), readAddressResponse, PROTOCOL.probeSchedule, signal).catch(
      () => undefined,
    );
    if (answer === undefined || answer.externalAddress === this.externalAddress) return;
    const before = this.externalAddress;
    this.externalAddress = answer.externalAddress;
    this.emit("suspect", addressChanged(before, this.externalAddress));
  }

  protected async map(request: PortRequest, signal: AbortSignal | undefined): Promise<PortControlGrant> {
    const { transport, internalPort, externalPort, lifetimeSeconds } = request;
    const nonce = request.nonce ?? this.nonceFor(transport, internalPort);
    const preferFailure = request.exact && !this.#refusesOptions;
    const answer = await this.#ask(
      {
        nonce,
        transport,
        internalPort,
        externalPort,
        externalAddress: request.externalAddress || this.#anyAddress,
        clientAddress: this.localAddress,
        lifetimeSeconds,
        preferFailure,
      },
      PROTOCOL.schedule,
      signal,
    );
    if (preferFailure && REFUSES_OPTION.has(answer.result)) {
      this.#refusesOptions = true;
      return this.map(request, signal);
    }
    if (answer.result !== PcpResult.SUCCESS || answer.map === undefined) throw this.explain(answer.result, request);
    this.externalAddress = answer.map.externalAddress;
    return { ...answer.map, lifetimeSeconds: answer.lifetimeSeconds, nonce };
  }

  async #ask(
    request: PcpMapRequest,
    schedule: RetransmitOptions,
    signal: AbortSignal | undefined,
  ): Promise<PcpResponse> {
    const read = (bytes: Uint8Array): PcpResponse | undefined => {
      const response = decodePcpResponse(bytes);
      return response && answers(response, request) ? response : undefined;
    };
    const answer = await this.ask(encodePcpMap(request), read, schedule, signal);
    this.observe(answer.epoch);
    return answer;
  }

  #keyOf(transport: Transport, internalPort: number): string {
    return `${this.socket.gateway} ${this.localAddress} ${transport} ${internalPort}`;
  }

  /** Section 11.1: "any", in the family of the client. */
  get #anyAddress(): string {
    return this.localAddress.includes(":") ? "::" : "0.0.0.0";
  }
}

/**
 * Section 11.4: protocol, internal port and nonce tell which request a response answers. They are the same in a deletion: only the
 * lifetime tells a late answer to the one from an answer to the other.
 */
function answers({ result, lifetimeSeconds, map }: PcpResponse, request: PcpMapRequest): boolean {
  return (
    map !== undefined &&
    map.transport === request.transport &&
    map.internalPort === request.internalPort &&
    map.nonce.every((byte, index) => byte === request.nonce[index]) &&
    (result !== PcpResult.SUCCESS || (lifetimeSeconds === 0) === (request.lifetimeSeconds === 0))
  );
}
