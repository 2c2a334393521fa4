import type { Lease, PortRequest } from "../gateway.ts";
import {
  PortControlGateway,
  type PortControlGatewayOptions,
  type PortControlGrant,
  type PortControlProtocol,
} from "./driver.ts";
import {
  decodeNatPmpResponse,
  encodeAddressRequest,
  encodeNatPmpMap,
  NAT_PMP_RESULT_NAMES,
  type NatPmpMapRequest,
  type NatPmpResponse,
  NatPmpResult,
  readAddressResponse,
} from "./nat-pmp-message.ts";
import { NAT_PMP_RETRANSMIT, type RetransmitOptions } from "./retransmit.ts";

type MapResponse = Extract<NatPmpResponse, { opcode: "map" }>;

const PROTOCOL: PortControlProtocol = {
  via: "nat-pmp",
  title: "NAT-PMP",
  resultNames: NAT_PMP_RESULT_NAMES,
  meanings: {
    [NatPmpResult.NOT_AUTHORIZED]: {
      kind: "forbidden",
      what: (port) => `the router does not let programs map ports, or not ${port}`,
      advice: "allow it in the router's settings, or let the game use a port of the range that is allowed",
    },
    [NatPmpResult.NETWORK_FAILURE]: {
      kind: "private",
      what: "the router has no public address to map a port of",
      advice: "it is not connected, or stands behind another NAT",
    },
    [NatPmpResult.OUT_OF_RESOURCES]: {
      kind: "full",
      what: (port) => `the router has no room for ${port}`,
      advice: "remove old mappings, or restart it",
    },
  },
  // The specification's nine tries take two minutes; a gateway that answered the search answers within the first five.
  schedule: { ...NAT_PMP_RETRANSMIT, tries: 5 },
  releaseSchedule: { ...NAT_PMP_RETRANSMIT, tries: 4 },
  probeSchedule: { ...NAT_PMP_RETRANSMIT, tries: 3 },
};

/** The driver of NAT-PMP (RFC 6886). */
export class NatPmpGateway extends PortControlGateway {
  constructor(options: PortControlGatewayOptions) {
    super(PROTOCOL, options);
  }

  async release({ transport, internalPort }: Lease, signal?: AbortSignal): Promise<boolean> {
    const deletion = { transport, internalPort, externalPort: 0, lifetimeSeconds: 0 };
    const answer = await this.#ask(deletion, PROTOCOL.releaseSchedule, signal).catch(() => undefined);
    return answer?.result === NatPmpResult.SUCCESS && answer.lifetimeSeconds === 0;
  }

  async probe(signal?: AbortSignal): Promise<void> {
    const answer = await this.ask(encodeAddressRequest(), readAddressResponse, PROTOCOL.probeSchedule, signal);
    this.observe(answer.epoch, answer.externalAddress);
  }

  protected async map(request: PortRequest, signal: AbortSignal | undefined): Promise<PortControlGrant> {
    const answer = await this.#ask(request, PROTOCOL.schedule, signal);
    if (answer.result !== NatPmpResult.SUCCESS) throw this.explain(answer.result, request);
    const { externalPort, lifetimeSeconds } = answer;
    return { externalAddress: this.externalAddress, externalPort, lifetimeSeconds };
  }

  async #ask(
    request: NatPmpMapRequest,
    schedule: RetransmitOptions,
    signal: AbortSignal | undefined,
  ): Promise<MapResponse> {
    const read = (bytes: Uint8Array): MapResponse | undefined => {
      const response = decodeNatPmpResponse(bytes);
      return response?.opcode === "map" && answers(response, request) ? response : undefined;
    };
    const answer = await this.ask(encodeNatPmpMap(request), read, schedule, signal);
    this.observe(answer.epoch);
    return answer;
  }
}

/**
 * Transport and internal port tell which request a response answers: NAT-PMP has no nonce. They are the same in a deletion: only
 * the lifetime tells a late answer to the one from an answer to the other (section 3.4).
 */
function answers(response: MapResponse, request: NatPmpMapRequest): boolean {
  return (
    response.transport === request.transport &&
    response.internalPort === request.internalPort &&
    (response.result !== NatPmpResult.SUCCESS || (response.lifetimeSeconds === 0) === (request.lifetimeSeconds === 0))
  );
}
