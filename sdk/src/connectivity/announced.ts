/** What the person who hosts says of the way in: behind Docker, a cloud's 1:1 NAT, or a port that was forwarded by hand. */
import { addressFamily, endsInNumber } from "../net/address.ts";
import { abortable } from "../net/wait.ts";

/** How the game is reached from outside, where this machine cannot find it out. */
export interface AnnounceOptions {
  /**
   * The name or IP address under which players reach the game: `game.example`, `203.0.113.7`. A name is looked up at the start, and
   * again with everything else (`renewIntervalMs`). Default: the addresses that are found, and those that players have dialed.
   */
  host?: string | undefined;
  /** The game's port outside, UDP and TCP, 1-65535. Default: the game's own. */
  port?: number | undefined;
  /** The UDP port outside for browsers (`webrtc`), 1-65535. Default: WebRTC's own, or the one that a router has mapped. */
  webrtcPort?: number | undefined;
}

/** Looks up all addresses of a name. */
export type LookUp = (name: string) => Promise<readonly { address: string }[]>;

const LOOKUP_TIMEOUT_MS = 5000;
/** A name with more of them is a content network's. */
const MAX_ADDRESSES = 4;
/** RFC 1123 section 2.1, up to RFC 1035's 253 characters; underscores, as Docker's names have them. */
const NAME = /^(?=.{1,253}$)[\w](?:[\w-]{0,61}\w)?(?:\.\w(?:[\w-]{0,61}\w)?)*\.?$/;

/** Whether a text may be looked up as a name. What ends in a number is meant as an address, whatever is wrong with it. */
export const isHostName = (text: string): boolean => NAME.test(text) && !endsInNumber(text);

/** @throws RangeError for a host that is neither name nor address, and for ports outside 1-65535 */
export function checkAnnounce(announce: AnnounceOptions): AnnounceOptions {
  const { host, port, webrtcPort } = announce;
  if (host !== undefined && addressFamily(host) === 0 && !isHostName(host)) {
    throw new RangeError(`announce.host is ${host}; give a name or an IP address, without scheme and port`);
  }
  for (const [name, value] of Object.entries({ port, webrtcPort })) {
    if (value !== undefined && !(Number.isInteger(value) && value > 0 && value <= 0xffff)) {
      throw new RangeError(`announce.${name} is ${value}; give a port number from 1 to 65535`);
    }
  }
  return announce;
}

/** The announced host's name; undefined where it is an address, or nothing. */
export const announcedName = ({ host }: AnnounceOptions): string | undefined =>
  host === undefined || addressFamily(host) !== 0 ? undefined : host;

/** The addresses of the announced host. */
export class AnnouncedHost {
  readonly #host: string | undefined;
  readonly #lookUp: LookUp;
  #addresses: readonly string[];

  constructor({ host }: AnnounceOptions, lookUp: LookUp) {
    this.#host = host;
    this.#lookUp = lookUp;
    this.#addresses = host !== undefined && addressFamily(host) !== 0 ? [host] : [];
  }

  /** As they were found last. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  /** Looks the name up again; a name that is not found keeps the addresses that it had. @returns whether it was found */
  async refresh(signal?: AbortSignal): Promise<boolean> {
    if (this.#host === undefined || addressFamily(this.#host) !== 0) return true;
    const patience = AbortSignal.timeout(LOOKUP_TIMEOUT_MS);
    try {
      const found = await abortable(this.#lookUp(this.#host), signal ? AbortSignal.any([signal, patience]) : patience);
      const addresses = found.map(({ address }) => address).slice(0, MAX_ADDRESSES);
      if (addresses.length > 0) this.#addresses = addresses;
      return addresses.length > 0;
    } catch {
      return false;
    }
  }
}
