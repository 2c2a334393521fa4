/** Addresses of 127.0.0.0/8 by which the local program tells guests apart. */
import { callerKey } from "../../net/caller-key.ts";

/** Within 127.0.0.0/16 systems have services of their own (127.0.0.53, 127.0.1.1): none is taken there. */
const FIRST = 0x01_00_01;
const LAST = 0xfe_ff_fe;

/**
 * Each guest has one address while it is there, never 127.0.0.1: a program that trusts its own machine must not trust a guest. A home has
 * the same address each time, as long as no other home's falls on it, so that the program's own list of bans holds.
 */
export class LoopbackSources {
  readonly #taken = new Set<number>();

  /** @param remote the guest's address as the session has it */
  take(remote: string): string {
    let host = FIRST + (hash(callerKey(remote)) % (LAST - FIRST));
    while (this.#taken.has(host) || isNetworkOrBroadcast(host)) host = host < LAST ? host + 1 : FIRST;
    this.#taken.add(host);
    return `127.${host >>> 16}.${(host >>> 8) & 0xff}.${host & 0xff}`;
  }

  give(address: string): void {
    const [, a = 0, b = 0, c = 0] = address.split(".").map(Number);
    this.#taken.delete((a << 16) | (b << 8) | c);
  }
}

/** Some programs take .0 and .255 for no addresses of machines. */
const isNetworkOrBroadcast = (host: number): boolean => (host & 0xff) === 0 || (host & 0xff) === 0xff;

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c_9dc5;
  for (let n = 0; n < text.length; n++) value = Math.imul(value ^ text.charCodeAt(n), 0x0100_0193);
  return value >>> 0;
}
