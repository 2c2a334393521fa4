import { withZone } from "../net/address.ts";
import type { Clock } from "../net/clock.ts";
import { addressScope } from "../net/scope.ts";
import { zoneOf } from "../net/zone.ts";
import type { DiscoveryEvents } from "./discovery.ts";
import type { LocalInterface } from "./interfaces.ts";
import { NatPmpGateway } from "./nat-pmp/gateway.ts";
import { decodeNatPmpResponse, encodeAddressRequest } from "./nat-pmp/message.ts";
import { PcpGateway } from "./pcp/gateway.ts";
import { decodePcpResponse, encodePcpAnnounce, PCP_PORT, type PcpResponse } from "./pcp/message.ts";
import { NoAnswer, PortControlSocket } from "./port-control-socket.ts";
import { NAT_PMP_RETRANSMIT, type RetransmitOptions } from "./retransmit.ts";
import type { Via } from "./types.ts";

/** Sent at 0, 250 and 750 ms at most: the verdict falls before a fourth. */
const SCHEDULE: RetransmitOptions = { ...NAT_PMP_RETRANSMIT, tries: 3 };
/** After this time without an answer nobody there speaks PCP or NAT-PMP. */
const VERDICT = 850;
/** NAT-PMP's answer waits so long for PCP's: a router that speaks both answers both in the same moment. */
const GRACE = 15;
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

/** Asks every default gateway whether it speaks PCP or NAT-PMP: both at once, since the answers tell which. */
export class PortControlDiscovery implements Disposable {
  readonly settled: Promise<void>;
  readonly #options: PortControlDiscoveryOptions;
  readonly #events: DiscoveryEvents;
  readonly #abort = new AbortController();

  constructor(options: PortControlDiscoveryOptions, events: DiscoveryEvents) {
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
    const found = new Set<Via>();
    const reasons = new Map<Via, string>();
    await Promise.all(interfaces.map((each) => this.#ask(each, found, reasons)));
    if (this.#abort.signal.aborted) return;
    for (const via of this.#options.via) {
      if (via === "upnp" || found.has(via)) continue;
      const name = via === "pcp" ? "PCP" : "NAT-PMP";
      const reason =
        reasons.get(via) ??
        (interfaces.length === 0
          ? "this computer has no default gateway to ask, or does not tell it"
          : `${interfaces.map(({ gateway }) => gateway).join(" and ")} did not answer`);
      this.#events.onFinding({ step: via, outcome: "absent", reason: `no ${name}: ${reason}` });
    }
  }

  async #ask(through: LocalInterface, found: Set<Via>, reasons: Map<Via, string>): Promise<void> {
    const { clock, random, port = PCP_PORT, via } = this.#options;
    const router = through.gateway ?? "";
    const gateway = router.startsWith("fe80:") ? withZone(router, zoneOf(through.name)) : router;
    const socket = new PortControlSocket({ localAddress: through.address, gateway, port, clock, random });
    const limit = new AbortController();
    const cancel = clock.after(VERDICT, () => limit.abort());
    const signal = AbortSignal.any([this.#abort.signal, limit.signal]);
    const explain = (which: Via, error: unknown): void => {
      if (error instanceof NoAnswer)
        reasons.set(which, error.refused ? `${router} says that nobody listens there` : error.message);
    };
    // PCP first: of a router that speaks both, its answer then comes first too.
    const pcp = via.includes("pcp") ? this.#askPcp(socket, signal) : Promise.resolve(undefined);
    const natPmp = through.family === 4 ? this.#askNatPmp(socket, signal) : Promise.resolve(undefined);
    const pcpDone = pcp.catch((error: unknown) => explain("pcp", error));
    const offerPcp = async (): Promise<void> => {
      const answer = await pcpDone;
      if (!answer) return;
      if (answer.result !== 0) {
        reasons.set("pcp", `${router} answers with result ${answer.result}`);
        return;
      }
      // NAT-PMP tells the external address before anything is mapped.
      const address = await Promise.race([
        natPmp.catch(() => undefined),
        new Promise<undefined>((resolve) => clock.after(GRACE, () => resolve(undefined))),
      ]);
      if (this.#abort.signal.aborted) return;
      found.add("pcp");
      this.#events.onGateway(
        new PcpGateway({
          socket,
          clock,
          epoch: answer.epoch,
          externalAddress: address?.externalAddress ?? "",
          speaksNatPmp: address !== undefined,
        }),
      );
    };
    const pcpOffered = offerPcp();
    const offerNatPmp = async (): Promise<void> => {
      try {
        const answer = await natPmp;
        if (answer === undefined || !via.includes("nat-pmp")) return;
        await Promise.race([pcpOffered, new Promise<void>((resolve) => clock.after(GRACE, resolve))]);
        if (this.#abort.signal.aborted) return;
        found.add("nat-pmp");
        this.#events.onGateway(new NatPmpGateway({ socket, clock, ...answer }));
      } catch (error) {
        explain("nat-pmp", error);
      }
    };
    try {
      await Promise.all([pcpOffered, offerNatPmp()]);
    } finally {
      cancel();
      socket[Symbol.dispose]();
    }
  }

  #askPcp(socket: PortControlSocket, signal: AbortSignal): Promise<PcpResponse | undefined> {
    return socket
      .request(
        encodePcpAnnounce(socket.localAddress),
        (bytes): PcpResponse | { absent: true } | undefined => {
          const response = decodePcpResponse(bytes);
          if (response?.opcode === "announce") return response;
          // Version 0 with an error: the router speaks NAT-PMP and does not know PCP (RFC 6887 appendix A).
          const old = decodeNatPmpResponse(bytes);
          return old?.opcode === "error" ? { absent: true } : undefined;
        },
        SCHEDULE,
        signal,
      )
      .then((answer) => ("absent" in answer ? undefined : answer));
  }

  #askNatPmp(
    socket: PortControlSocket,
    signal: AbortSignal,
  ): Promise<{ externalAddress: string; epoch: number } | undefined> {
    return socket.request(
      encodeAddressRequest(),
      (bytes) => {
        const response = decodeNatPmpResponse(bytes);
        if (response?.opcode !== "address") return undefined;
        // Without an external address it is still a NAT-PMP gateway: one that cannot serve now.
        return { externalAddress: response.result === 0 ? response.externalAddress : "0.0.0.0", epoch: response.epoch };
      },
      SCHEDULE,
      signal,
    );
  }

  [Symbol.dispose](): void {
    this.#abort.abort();
  }
}
