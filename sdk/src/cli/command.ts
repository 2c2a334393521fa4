import { isIP } from "node:net";
import { type ParseArgsConfig, parseArgs } from "node:util";
import { closestMatch as closest } from "leven";
import { messageOf } from "../net/message-of.ts";

/** sysexits.h: the command was used wrongly. */
export const EXIT_USAGE = 64;
/** sysexits.h: an error of the program itself. */
export const EXIT_SOFTWARE = 70;
/** sysexits.h: a file cannot be made. */
export const EXIT_CANNOT_CREATE = 73;
/** What was asked for is not to be had here. */
export const EXIT_UNAVAILABLE = 1;

/** A subcommand: gets what stands behind its name, gives the exit code. */
export interface Command {
  /** One line for the overview. */
  readonly summary: string;
  readonly usage: string;
  run(args: readonly string[]): Promise<number>;
}

/** Wrong usage, said in one sentence. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** A file that was asked for cannot be made, said in one sentence. */
export class CannotCreateError extends Error {
  override name = "CannotCreateError";
}

/** `parseArgs`, whose complaints become usage errors; a mistyped option comes with the one that may be meant. */
export function parseOptions<Config extends ParseArgsConfig>(config: Config): ReturnType<typeof parseArgs<Config>> {
  try {
    return parseArgs(config);
  } catch (error) {
    const said = messageOf(error);
    const unknown = /^Unknown option '(-\S+)'/.exec(said)?.[1];
    if (unknown === undefined) throw new UsageError(said);
    const options = Object.keys(config.options ?? {}).map((name) => `--${name}`);
    throw new UsageError(`${unknown} is no option.${didYouMean(unknown, options)}`);
  }
}

/** ` Did you mean --via?`, or nothing where no word is near. */
export function didYouMean(typed: string, words: readonly string[]): string {
  const nearest = closest(typed, words, { maxDistance: Math.max(2, Math.floor(typed.length / 3)) });
  return nearest === undefined ? "" : ` Did you mean ${nearest}?`;
}

/** A whole number in a range, from the command line. @throws {UsageError} */
export function wholeNumber(name: string, value: string, min: number, max: number): number {
  const number = /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= min && number <= max))
    throw new UsageError(`${name} must be a whole number from ${min} to ${max}, not ${value}`);
  return number;
}

/** One of some words. @throws {UsageError} */
export function oneOf<Word extends string>(name: string, value: string, words: readonly Word[]): Word {
  const word = words.find((each) => each === value);
  if (word === undefined) throw new UsageError(`${name} must be ${words.join(", ")}, not ${value}`);
  return word;
}

/** An IP address, where one is given. @throws {UsageError} */
export function ipAddress(name: string, value: string | undefined): string | undefined {
  if (value !== undefined && isIP(value) === 0) throw new UsageError(`${name} must be an IP address, not ${value}`);
  return value;
}

/** The one port that a command is about. @throws {UsageError} */
export function onlyPort(positionals: readonly string[]): number {
  const [port, ...rest] = positionals;
  if (port === undefined) throw new UsageError("the port is missing");
  if (rest.length > 0) throw new UsageError(`one port is expected, not ${positionals.length}`);
  return wholeNumber("the port", port, 1, 65535);
}
