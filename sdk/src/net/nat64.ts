/**
 * A network without IPv4 reaches IPv4 hosts through a NAT64 (RFC 6146), under IPv6 addresses that hold theirs (RFC 6052). Names get such
 * addresses from the network's DNS64 (RFC 6147); whoever has an address alone asks what the network's prefix is (RFC 7050).
 */
import { Resolver } from "node:dns/promises";
import { addressBytes, addressFamily, formatAddress } from "./address.ts";
import { readInterfaces } from "./interfaces.ts";
import { addressScope } from "./scope.ts";
import { traceOf } from "./trace.ts";

const trace = traceOf("nat");

/** RFC 7050 section 8.1: a name that has IPv4 addresses alone, and everywhere the same (section 8.2). */
const IPV4_ONLY_NAME = "ipv4only.arpa";
const IPV4_ONLY_ADDRESSES = ["192.0.0.170", "192.0.0.171"].map((address) => addressBytes(address) as Uint8Array);
/** RFC 6052 section 2.2, in the order in which they are looked for; most networks have the last, 64:ff9b::/96. */
const PREFIX_LENGTHS = [96, 64, 56, 48, 40, 32] as const;
/** Bits 64 to 71 are zero, whatever the prefix: no byte of the IPv4 address stands there. */
const RESERVED_BYTE = 8;
const LOOKUP = { timeout: 1000, tries: 2 } as const;
/** How long the network's answer is good, ms: computers move. */
const KEPT_MS = 60_000;

/** A network's prefix. */
export class NAT64Prefix {
  readonly #prefix: Uint8Array;
  readonly #length: number;

  private constructor(prefix: Uint8Array, length: number) {
    this.#prefix = prefix;
    this.#length = length;
  }

  /** From an IPv6 address of `ipv4only.arpa` (RFC 7050 section 3); `undefined` where it holds none of the name's IPv4 addresses. */
  static from(address: string): NAT64Prefix | undefined {
    const bytes = addressBytes(address);
    if (bytes?.length !== 16 || bytes[RESERVED_BYTE] !== 0) return undefined;
    for (const length of PREFIX_LENGTHS) {
      const places = placesOf(length);
      if (!IPV4_ONLY_ADDRESSES.some((known) => places.every((place, i) => bytes[place] === known[i]))) continue;
      const prefix = bytes.slice();
      prefix.fill(0, length / 8);
      return new NAT64Prefix(prefix, length);
    }
    return undefined;
  }

  /** The IPv6 address of a public IPv4 address; others are no NAT64's to translate (RFC 6052 section 3.1). */
  toIPv6(address: string): string | undefined {
    const bytes = addressBytes(address);
    if (bytes?.length !== 4 || addressScope(address) !== "public") return undefined;
    const whole = this.#prefix.slice();
    for (const [i, place] of placesOf(this.#length).entries()) whole[place] = bytes[i] as number;
    return formatAddress(whole);
  }

  /** The IPv4 address in one of the prefix; `undefined` for any other. */
  toIPv4(address: string): string | undefined {
    const bytes = addressBytes(address);
    if (bytes?.length !== 16) return undefined;
    for (let i = 0; i < this.#length / 8; i++) if (bytes[i] !== this.#prefix[i]) return undefined;
    return formatAddress(Uint8Array.from(placesOf(this.#length), (place) => bytes[place] as number));
  }

  /** The prefix with its length: `64:ff9b::/96`. */
  toString(): string {
    return `${formatAddress(this.#prefix)}/${this.#length}`;
  }
}

/** Where the four bytes of the IPv4 address stand. */
function placesOf(prefixLength: number): number[] {
  const places: number[] = [];
  for (let place = prefixLength / 8; places.length < 4; place++) if (place !== RESERVED_BYTE) places.push(place);
  return places;
}

export interface NAT64Network {
  /** Whether this machine has an IPv4 address of its own: then nothing is translated. */
  hasIPv4(): boolean;
  /** @throws where the name has no IPv6 address */
  resolve6(name: string): Promise<string[]>;
  now(): number;
}

/** Without a DHCP server a machine gives itself an address that leads nowhere (RFC 3927). */
const isUsableIPv4 = (address: string): boolean =>
  addressFamily(address) === 4 && addressScope(address) !== "link-local";

const SYSTEM: NAT64Network = {
  hasIPv4: () =>
    Object.values(readInterfaces()).some((addresses) =>
      addresses?.some(({ address, internal }) => !internal && isUsableIPv4(address)),
    ),
  resolve6: (name) => new Resolver(LOOKUP).resolve6(name),
  now: () => performance.now(),
};

/** Learns a network's prefix, and remembers it for a minute. */
export class NAT64Finder {
  readonly #network: NAT64Network;
  #known: { prefix: Promise<NAT64Prefix | undefined>; until: number } | undefined;

  constructor(network: NAT64Network = SYSTEM) {
    this.#network = network;
  }

  /** The prefix of the network that this machine is on: `undefined` where it has IPv4, or no NAT64. Takes 2 s at most. */
  async prefix(): Promise<NAT64Prefix | undefined> {
    const network = this.#network;
    if (network.hasIPv4()) return undefined;
    const now = network.now();
    if (this.#known === undefined || now >= this.#known.until) {
      this.#known = { prefix: this.#ask(), until: now + KEPT_MS };
    }
    return await this.#known.prefix;
  }

  /** The same URL, with the address by which this network reaches it where it names an IPv4 address that it does not reach. */
  async locate(url: string): Promise<string> {
    const parsed = URL.parse(url);
    if (parsed === null || addressFamily(parsed.hostname) !== 4) return url;
    const address = (await this.prefix())?.toIPv6(parsed.hostname);
    if (address === undefined) return url;
    parsed.hostname = `[${address}]`;
    return parsed.href;
  }

  async #ask(): Promise<NAT64Prefix | undefined> {
    const addresses = await this.#network.resolve6(IPV4_ONLY_NAME).catch(() => []);
    for (const address of addresses) {
      const prefix = NAT64Prefix.from(address);
      if (prefix === undefined) continue;
      if (trace.on) trace.event("nat64", { prefix: String(prefix) });
      return prefix;
    }
    return undefined;
  }
}

/** This process's. */
export const nat64: NAT64Finder = new NAT64Finder();
