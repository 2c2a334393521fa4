import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { readInterfaces } from "../../net/interfaces.ts";
import { GatewayError } from "../gateway.ts";

/** Alternatives are registered ports: services have those below, ephemeral ports are above (RFC 6335 section 6). */
const FIRST = 20_000;
const LAST = 49_151;

/** How many ports are tried on one gateway before it is given up. */
const MAX_CANDIDATES = 10;
/** Ports that are asked for exactly. After these, the gateway may choose, nearest to the one that was wished for. */
const EXACT_TRIES = 8;
/** Ports that are tried where the router refuses without a reason: its table may be full. */
const MAX_UNEXPLAINED = 3;
/** IGD's SamePortValuesRequired (WANIPConnection:2 section 2.5), which stands for any router that wants the same number. */
const SAME_PORT_VALUES_REQUIRED = 724;

/** Something that stays the same on this machine and differs on the next. */
export function machineId(): string {
  for (const path of ["/etc/machine-id", "/var/lib/dbus/machine-id"]) {
    try {
      const id = readFileSync(path, "utf8").trim();
      if (id) return `${id} ${hostname()}`;
    } catch {
      // Not a systemd system.
    }
  }
  const hardware = Object.values(readInterfaces()).flatMap((list) => list?.map(({ mac }) => mac) ?? []);
  return `${hostname()} ${hardware.find((mac) => mac !== "00:00:00:00:00:00") ?? ""}`;
}

/**
 * The external ports to try: the preferred one, then alternatives. The same application gets the same alternatives at every
 * start on the same machine behind the same gateway; others get other ones.
 */
export function candidatePorts(
  preferred: number,
  internalPort: number,
  seed: { machine: string; application: string; gateway: string },
): number[] {
  const ports = [preferred];
  if (internalPort !== preferred && internalPort >= 1024) ports.push(internalPort);
  const hash = createHash("sha256")
    .update(JSON.stringify([seed.machine, seed.application, seed.gateway, internalPort, preferred]))
    .digest();
  for (let i = 0; ports.length < MAX_CANDIDATES && i < 16; i++) {
    const port = FIRST + (hash.readUInt16BE(i * 2) % (LAST - FIRST + 1));
    if (!ports.includes(port)) ports.push(port);
  }
  return ports;
}

/** What the plan takes of a request. */
interface PortWishes {
  externalPort: number;
  internalPort: number;
  machine: string;
  application: string;
}

/** Which external port to try next at one gateway, judged by how it refused the last. No I/O. */
export class PortPlan {
  /** The port to try now. */
  port: number;
  readonly #wishes: PortWishes;
  readonly #gateway: string;
  /** Worked out at the first refusal: most first ports are granted, and a process' first hash takes milliseconds. */
  #rest: number[] | undefined;
  #refused = 0;
  #unexplained = 0;
  /** The refusal that explains best why the first choice was not to be had. */
  #cause: GatewayError | undefined;
  /** The router does not let programs map the port: it may have another. */
  #mayChoose = false;

  /** @param preferredPort tried before the requested one: the port that was lost */
  constructor(wishes: PortWishes, gateway: string, preferredPort?: number) {
    this.#wishes = wishes;
    this.#gateway = gateway;
    this.port = preferredPort ?? wishes.externalPort;
  }

  /** Whether only this port will do. */
  get isExact(): boolean {
    return this.#refused < EXACT_TRIES && !this.#mayChoose;
  }

  /**
   * Goes on to the next port, or to the same one with a choice for the router: one that lets programs map a range alone knows a
   * port in it. @throws {GatewayError} no other port helps, or none is left
   */
  next(refusal: GatewayError): void {
    const { internalPort } = this.#wishes;
    const first = this.port;
    if (refusal.kind === "forbidden" && this.isExact) {
      this.#cause ??= refusal;
      this.#mayChoose = true;
      return;
    }
    if (this.#mayChoose && this.#cause !== undefined) throw this.#cause;
    this.#rest ??= this.#alternatives().filter((port) => port !== first);
    this.#refused++;
    if (refusal.kind === "unexplained") this.#unexplained++;
    const wantsSamePort = this.#cause?.kind === "same-port";
    if (refusal.kind === "same-port" && this.port !== internalPort && !wantsSamePort) {
      // One chance left: the game's own number outside.
      this.#rest = [internalPort];
      this.#cause = refusal;
    } else if (refusal.kind !== "conflict" && refusal.kind !== "unexplained") {
      throw refusal;
    } else if (wantsSamePort) {
      throw new GatewayError(
        "refused",
        `the router maps a port to the same number only, and there ${refusal.message}: let the game listen on another port`,
        { code: SAME_PORT_VALUES_REQUIRED },
      );
    } else {
      this.#cause ??= refusal;
    }
    // A gateway that chooses begins at the port that was wished for.
    if (this.#refused === EXACT_TRIES && !wantsSamePort) this.#rest.splice(0, 1, this.#wishes.externalPort);
    const next = this.#unexplained < MAX_UNEXPLAINED ? this.#rest.shift() : undefined;
    if (next === undefined) {
      const { kind, message, code } = this.#cause;
      throw new GatewayError(
        kind,
        kind === "conflict" ? `all ${this.#refused} ports tried are taken: ${message}` : message,
        { code },
      );
    }
    this.port = next;
  }

  #alternatives(): number[] {
    const { externalPort, internalPort, machine, application } = this.#wishes;
    return candidatePorts(externalPort, internalPort, { machine, application, gateway: this.#gateway });
  }
}
