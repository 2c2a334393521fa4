import { withZone } from "../../net/address.ts";
import { type Clock } from "../../net/clock.ts";
import { whyForbidden } from "../../net/firewall.ts";
import { addressScope } from "../../net/scope.ts";
import { sleep } from "../../net/wait.ts";
import { zoneOf } from "../../net/zone.ts";
import { NO_ANSWER_MS, type SearchEvents } from "../gateway.ts";
import type { LocalInterface } from "../interfaces.ts";
import { NatPmpGateway } from "../port-control/nat-pmp.ts";
import { decodeNatPmpResponse, encodeAddressRequest, readAddressResponse } from "../port-control/nat-pmp-message.ts";
import { PcpGateway } from "../port-control/pcp.ts";
import {
  decodePcpResponse,
  encodePcpAnnounce,
  PCP_PORT,
  type PcpResponse,
  PcpResult,
} from "../port-control/pcp-message.ts";
import { NAT_PMP_RETRANSMIT, type RetransmitOptions } from "../port-control/retransmit.ts";
import { NoAnswer, PortControlSocket } from "../port-control/socket.ts";
import type { Via } from "../types.ts";
import { rankOf } from "./rank.ts";

/** Sent at 0, 250 and 750 ms at most: {@link NO_ANSWER_MS} comes before a fourth. */
const SCHEDULE: RetransmitOptions = { ...NAT_PMP_RETRANSMIT, tries: 3 };
/** Each protocol's answer waits this long for the other's: a router that speaks both answers both at once. */
const OTHER_PROTOCOL_MS = 15;
/** A machine may have many IPv6 addresses, and every one of them leads to the same router. */
const MAX_ADDRESSES_6 = 2;

export interface PortControlDiscoveryOptions {
  interfaces: readonly LocalInterface[];
  via: readonly Via[];
  clock: Clock;
  random: () => number;
  /** The servers' port, default 5351. */
  port?: number | undefined;
}

interface NatPmpAnswer {
  externalAddress: string;
  epoch: number;
}

/** Asks every default gateway whether it speaks PCP or NAT-PMP: both at once, since the answers tell which. */
export class PortControlDiscovery implements Disposable {
  readonly settled: Promise<void>;
  readonly #options: PortControlDiscoveryOptions;
  readonly #events: SearchEvents;
  readonly #abort = new AbortController();
  readonly #found = new Set<Via>();
  /** Why a protocol was not found. */
  readonly #reasons = new Map<Via, string>();

  constructor(options: PortControlDiscoveryOptions, events: SearchEvents) {
    this.#options = options;
    this.#events = events;
    const six = options.interfaces
      .filter(({ family, address }) => family === 6 && addressScope(address) === "public")
      .slice(0, MAX_ADDRESSES_6);
    const asked = options.interfaces.filter(
      (each) => each.gateway !== undefined && (each.family === 4 || six.includes(each)),
    );
    this.settled = this.#askAll(asked);
  }

  async #askAll(interfaces: readonly LocalInterface[]): Promise<void> {
    await Promise.all(interfaces.map((each) => this.#ask(each)));
    if (this.#abort.signal.aborted) return;
    for (const via of this.#options.via) {
      if (via === "upnp" || this.#found.has(via)) continue;
      const name = via === "pcp" ? "PCP" : "NAT-PMP";
      const reason =
        this.#reasons.get(via) ??
        (interfaces.length === 0
          ? "this computer has no default gateway to ask"
          : `${interfaces.map(({ gateway }) => gateway).join(" and ")} did not answer`);
      this.#events.onFinding({ step: via, outcome: "absent", reason: `no ${name}: ${reason}` });
    }
  }

  async #ask(through: LocalInterface): Promise<void> {
    const { clock, random, port = PCP_PORT, via } = this.#options;
    const router = through.gateway ?? "";
    const gateway = router.startsWith("fe80:") ? withZone(router, zoneOf(through.name)) : router;
    using socket = new PortControlSocket({ localAddress: through.address, gateway, port, clock, random });
    const limit = new AbortController();
    const cancelLimit = clock.after(NO_ANSWER_MS, () => limit.abort());
    const signal = AbortSignal.any([this.#abort.signal, limit.signal]);
    const rank = rankOf(router, through, this.#options.interfaces);
    // PCP first: of a router that speaks both, its answer then comes first too.
    const pcp = via.includes("pcp") ? askPcp(socket, signal) : Promise.resolve(undefined);
    const natPmp = through.family === 4 ? askNatPmp(socket, signal) : Promise.resolve(undefined);
    try {
      const pcpOffered = this.#offerPcp(socket, rank, pcp, natPmp);
      await Promise.all([pcpOffered, this.#offerNatPmp(socket, rank, natPmp, pcpOffered)]);
    } finally {
      cancelLimit();
    }
  }

  async #offerPcp(
    socket: PortControlSocket,
    rank: number,
    pcp: Promise<PcpResponse | undefined>,
    natPmp: Promise<NatPmpAnswer | undefined>,
  ): Promise<void> {
    const answer = await pcp.catch((error: unknown) => this.#noteAbsence("pcp", socket.gateway, error));
    if (!answer) return;
    if (answer.result !== PcpResult.SUCCESS) {
      this.#reasons.set("pcp", `${socket.gateway} answers with result ${answer.result}`);
      return;
    }
    // NAT-PMP tells the external address before anything is mapped.
    const { clock } = this.#options;
    const address = await Promise.race([
      natPmp.catch(() => undefined),
      sleep(OTHER_PROTOCOL_MS, undefined, clock).then(() => undefined),
    ]);
    if (this.#abort.signal.aborted) return;
    this.#found.add("pcp");
    this.#events.onGateway(
      new PcpGateway({
        socket,
        clock,
        epoch: answer.epoch,
        externalAddress: address?.externalAddress ?? "",
        speaksNatPmp: address !== undefined,
        rank,
      }),
    );
  }

  async #offerNatPmp(
    socket: PortControlSocket,
    rank: number,
    natPmp: Promise<NatPmpAnswer | undefined>,
    pcpOffered: Promise<void>,
  ): Promise<void> {
    const { clock, via } = this.#options;
    const answer = await natPmp.catch((error: unknown) => this.#noteAbsence("nat-pmp", socket.gateway, error));
    if (!answer || !via.includes("nat-pmp")) return;
    await Promise.race([pcpOffered, sleep(OTHER_PROTOCOL_MS, undefined, clock)]);
    if (this.#abort.signal.aborted) return;
    this.#found.add("nat-pmp");
    this.#events.onGateway(new NatPmpGateway({ socket, clock, rank, ...answer }));
  }

  #noteAbsence(via: Via, router: string, error: unknown): void {
    if (error instanceof NoAnswer) this.#reasons.set(via, whyAbsent(router, error));
  }

  [Symbol.dispose](): void {
    this.#abort.abort();
  }
}

function whyAbsent(router: string, { refused, code, message }: NoAnswer): string {
  const forbidden = whyForbidden(code);
  if (forbidden !== undefined) return `${router} was not asked: ${forbidden}`;
  if (code === "EHOSTUNREACH" || code === "ENETUNREACH") return `${router} cannot be reached (${code})`;
  return refused ? `${router} says that nobody listens there` : message;
}

async function askPcp(socket: PortControlSocket, signal: AbortSignal): Promise<PcpResponse | undefined> {
  const read = (bytes: Uint8Array): PcpResponse | "speaks NAT-PMP alone" | undefined => {
    const response = decodePcpResponse(bytes);
    if (response?.opcode === "announce") return response;
    // Version 0 with an error: the router speaks NAT-PMP and does not know PCP (RFC 6887 appendix A).
    return decodeNatPmpResponse(bytes)?.opcode === "error" ? "speaks NAT-PMP alone" : undefined;
  };
  const answer = await socket.request(encodePcpAnnounce(socket.localAddress), read, SCHEDULE, signal);
  return typeof answer === "string" ? undefined : answer;
}

async function askNatPmp(socket: PortControlSocket, signal: AbortSignal): Promise<NatPmpAnswer> {
  const { externalAddress, epoch } = await socket.request(
    encodeAddressRequest(),
    readAddressResponse,
    SCHEDULE,
    signal,
  );
  // Without an external address it is still a NAT-PMP gateway, but one that cannot serve now.
  return { externalAddress: externalAddress || "0.0.0.0", epoch };
}
