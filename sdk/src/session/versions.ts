/**
 * What programs of different releases say to each other: each names the version of the protocol that it speaks in what it says first,
 * and whoever hears another one says so, in one sentence.
 */

/** Who names none speaks this one: the first release did not. */
const UNNAMED = 1;
const MAX_VERSION = 0xffff;
/** Versions that are told of: strangers name them. */
const MAX_NOTICES = 8;

/** The version that a message names, 1 where it names none; null for nonsense. */
export function readProtocol(named: unknown): number | null {
  if (named === undefined) return UNNAMED;
  return Number.isInteger(named) && (named as number) > 0 && (named as number) <= MAX_VERSION
    ? (named as number)
    : null;
}

export interface Party {
  /** As the sentence calls it: `this game's server`. */
  name: string;
  /** What is to be updated, should it be the older: `the server`. */
  update: string;
  speaks: number;
}

/** `This game's server speaks Sallyport protocol 1, this client 2: update the server` */
export function describeMismatch(protocol: string, one: Party, other: Party): string {
  const { update } = one.speaks < other.speaks ? one : other;
  const sentence = `${one.name} speaks ${protocol} ${one.speaks}, ${other.name} ${other.speaks}: update ${update}`;
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

/** What a player is told of a server of another version. */
export function describeServer(protocol: string, server: number, client: number): string {
  return describeMismatch(
    protocol,
    { name: "this game's server", update: "the server", speaks: server },
    { name: "this client", update: "the client", speaks: client },
  );
}

/** There is no session, as the server speaks another version; WebSocket does as well. */
export class ProtocolMismatchError extends Error {
  override readonly name = "ProtocolMismatchError";
}

/** Says a sentence once for each version that others speak. */
export class VersionNotices {
  readonly #seen = new Set<number>();
  readonly #say: (sentence: string) => void;

  constructor(say: (sentence: string) => void) {
    this.#say = say;
  }

  /** @param sentence made if it is to be said */
  tell(version: number, sentence: () => string): void {
    if (this.#seen.has(version) || this.#seen.size >= MAX_NOTICES) return;
    this.#seen.add(version);
    this.#say(sentence());
  }
}
