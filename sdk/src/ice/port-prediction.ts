import type { NatDependence } from "../nat/behaviour.ts";
import type { Endpoint } from "../net/endpoint.ts";

/**
 * Ways to a peer behind a translator whose mapping depends on the destination ("symmetric"), from behind one that filters
 * by address and port: the port that must be let in is not known, so it is guessed. Sans I/O.
 *
 * Translators that count ports up are predicted. For the others there is the birthday paradox: the symmetric side opens
 * many ports towards its peer, and the peer tries ports at random; 256 and 1024 of them meet with 98 %, where 1024
 * tries at a single port would do so with less than 2 %.
 */

/** What both sides know of a translator (RFC 4787). */
export interface NatView {
  readonly mapping: NatDependence;
  readonly filtering: NatDependence;
}

const LOWEST_PORT = 1024;
const HIGHEST_PORT = 65535;
/** Larger steps are chance, or the traffic of others. */
const MAX_STEP = 32;

/**
 * - `opener`: our translator is the symmetric one: open many ports
 * - `prober`: the peer's is: try its ports
 * - `null`: nothing to guess, or too much (both symmetric)
 */
export function guessingSide(ours: NatView, theirs: NatView): "opener" | "prober" | null {
  if (isSymmetric(ours) === isSymmetric(theirs)) return null;
  const other = isSymmetric(ours) ? theirs : ours;
  // All other filters let a new port of a known address in.
  if (other.mapping === "unknown" || other.filtering !== "address-and-port-dependent") return null;
  return isSymmetric(ours) ? "opener" : "prober";
}

function isSymmetric({ mapping }: NatView): boolean {
  return mapping === "address-dependent" || mapping === "address-and-port-dependent";
}

/**
 * The ports that come next, likeliest first, for a translator that counts them; none for one that does not.
 * @param observed outside ports of mappings that were made one after the other, three at least
 */
export function predictPorts(observed: readonly number[], count = 16): number[] {
  const last = observed.at(-1);
  if (last === undefined || observed.length < 3) return [];
  const steps = observed.slice(1).map((port, i) => port - (observed[i] ?? 0));
  const sign = Math.sign(steps[0] ?? 0);
  if (sign === 0 || steps.some((step) => Math.sign(step) !== sign || Math.abs(step) > MAX_STEP)) return [];
  // Mappings of others come in between: the step is what all steps are multiples of.
  const step = steps.map(Math.abs).reduce(greatestCommonDivisor) * sign;
  const ports: number[] = [];
  for (let i = 1; ports.length < count; i++) {
    const port = last + i * step;
    if (port < LOWEST_PORT || port > HIGHEST_PORT) break;
    ports.push(port);
  }
  return ports;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** How likely it is that one of `probes` different ports is one of `open` ones, 0-1. */
export function birthdayChance(open: number, probes: number, ports: number = HIGHEST_PORT - LOWEST_PORT + 1): number {
  let miss = 1;
  for (let i = 0; i < probes; i++) miss *= Math.max(0, 1 - open / Math.max(1, ports - i));
  return 1 - miss;
}

export interface GuessOptions {
  /** Milliseconds between two packets. Default 10. */
  intervalMs?: number;
  /** Sockets that the opener opens. Default 256, which is the most. */
  sockets?: number;
  /** Ports that the prober tries. Default 1024, which is the most. */
  probes?: number;
  /** Random bytes. */
  random: (bytes: number) => Uint8Array;
}

export const MAX_GUESS_SOCKETS = 256;
export const MAX_GUESS_PROBES = 1024;
const DEFAULT_INTERVAL_MS = 10;
/** The prober waits until the opener has most of its ports open: a probe that comes before its port is lost. */
const PROBER_HEAD_START_MS = 2_000;

/** One packet of a plan. */
export interface Guess {
  /** Opener: from which of its sockets, 0 to `sockets - 1`. Prober: always 0, the game's own. */
  readonly socket: number;
  readonly to: Endpoint;
}

/** One round of guesses, at a steady pace; what is late is not made up for. */
export class GuessPlan {
  readonly #guesses: Iterator<Guess>;
  readonly #intervalMs: number;
  #nextAt: number;
  #next: Guess | null = null;

  private constructor(guesses: Iterable<Guess>, startAt: number, intervalMs: number) {
    this.#guesses = guesses[Symbol.iterator]();
    this.#intervalMs = intervalMs;
    this.#nextAt = startAt;
    this.#advance();
  }

  /** Each socket sends to each address of the peer. */
  static open(targets: readonly Endpoint[], now: number, options: GuessOptions): GuessPlan {
    const sockets = Math.min(options.sockets ?? MAX_GUESS_SOCKETS, MAX_GUESS_SOCKETS);
    return new GuessPlan(openings(sockets, targets), now, options.intervalMs ?? DEFAULT_INTERVAL_MS);
  }

  /** Tries ports of one address: the predicted ones first, then any. */
  static probe(address: string, predicted: readonly number[], now: number, options: GuessOptions): GuessPlan {
    const probes = Math.min(options.probes ?? MAX_GUESS_PROBES, MAX_GUESS_PROBES);
    const guesses = portGuesses(address, predicted, probes, options.random);
    return new GuessPlan(guesses, now + PROBER_HEAD_START_MS, options.intervalMs ?? DEFAULT_INTERVAL_MS);
  }

  /** When {@link take} has something; Infinity when the round is over. */
  get nextAt(): number {
    return this.#next === null ? Number.POSITIVE_INFINITY : this.#nextAt;
  }

  take(now: number): Guess | null {
    if (this.#next === null || now < this.#nextAt) return null;
    const guess = this.#next;
    this.#nextAt = now + this.#intervalMs;
    this.#advance();
    return guess;
  }

  #advance(): void {
    const { done, value } = this.#guesses.next();
    this.#next = done === true ? null : value;
  }
}

function* openings(sockets: number, targets: readonly Endpoint[]): Generator<Guess> {
  for (let socket = 0; socket < sockets; socket++) for (const to of targets) yield { socket, to };
}

function* portGuesses(
  address: string,
  predicted: readonly number[],
  probes: number,
  random: (bytes: number) => Uint8Array,
): Generator<Guess> {
  const tried = new Set<number>();
  const ports = predicted.values();
  while (tried.size < probes) {
    let port = ports.next().value;
    if (port === undefined) {
      const [high = 0, low = 0] = random(2);
      port = (high << 8) | low;
    }
    if (port < LOWEST_PORT || port > HIGHEST_PORT || tried.has(port)) continue;
    tried.add(port);
    yield { socket: 0, to: { address, port } };
  }
}
