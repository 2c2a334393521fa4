/** Options by `node:util`, with what it leaves out: help, ports, and a suggestion for a mistyped option. */
import { parseArgs } from "node:util";
import { closestMatch } from "leven";

export interface OptionHelp {
  type: "string" | "boolean";
  /** What stands for the value in the help: `--port N`. */
  value?: string;
  help: string;
}

export interface Usage {
  /** As the person types it: `npm run host --`. */
  command: string;
  /** What comes after the options, if anything: `INVITE-OR-URL`. */
  positional?: string;
  summary: string;
  options: Record<string, OptionHelp>;
  environment?: Record<string, string>;
  examples: readonly string[];
}

/** Wrong usage: the message for the person, exit code 64. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Answered `--help`. */
export class HelpWanted extends Error {
  override readonly name = "HelpWanted";
}

export interface Arguments {
  text(option: string): string | undefined;
  flag(option: string): boolean;
  positionals: readonly string[];
}

/** Settings that npm has itself: a person's `.npmrc` may hold them, which says nothing of this program. */
const OF_NPM: ReadonlySet<string> = new Set(["json", "help"]);

/** @throws UsageError, HelpWanted */
export function readArguments(usage: Usage, argv: readonly string[]): Arguments {
  const options: Record<string, OptionHelp> = { ...usage.options, help: { type: "boolean", help: "this text" } };
  const { tokens, values, positionals } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(Object.entries(options).map(([name, { type }]) => [name, { type }])),
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  if (values["help"] === true) throw new HelpWanted(helpOf(usage));
  const kept = Object.keys(options).filter(
    (name) => !OF_NPM.has(name) && process.env[`npm_config_${name.replaceAll("-", "_")}`] !== undefined,
  );
  if (kept.length > 0 && usage.command.endsWith(" --")) {
    const [first = ""] = kept;
    throw new UsageError(
      `npm kept --${first} for itself. Options come behind "--": ${usage.command} ${exampleOf(usage, first)}`,
    );
  }
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const known = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (known === undefined) throw new UsageError(unknownOption(token.rawName, Object.keys(options)));
    if (known.type === "string" && (token.value === undefined || token.value === "")) {
      throw new UsageError(`${token.rawName} needs a value: ${token.rawName} ${known.value ?? "VALUE"}`);
    }
    if (known.type === "boolean" && token.value !== undefined) throw new UsageError(`${token.rawName} takes no value`);
  }
  const allowed = usage.positional === undefined ? 0 : 1;
  if (positionals.length > allowed) {
    throw new UsageError(`"${positionals[allowed]}" is one argument too many. See --help.`);
  }
  return {
    text: (option) => (typeof values[option] === "string" ? values[option] : undefined),
    flag: (option) => values[option] === true,
    positionals,
  };
}

/** How the option is typed, behind the positional argument if there is one. */
function exampleOf({ positional, options }: Usage, name: string): string {
  const value = options[name]?.value;
  return [...(positional === undefined ? [] : [positional]), `--${name}`, ...(value === undefined ? [] : [value])].join(
    " ",
  );
}

function unknownOption(name: string, known: readonly string[]): string {
  const nearest = closestMatch(
    name,
    known.map((each) => `--${each}`),
    { maxDistance: Math.max(2, Math.floor(name.length / 3)) },
  );
  return `${name} is no option. ${nearest === undefined ? "See --help." : `Did you mean ${nearest}?`}`;
}

/** A port from an option, else from the environment, else the default. @throws UsageError */
export function readPort(option: string | undefined, variable: string, fallback: number, name = "--port"): number {
  const fromEnvironment = process.env[variable];
  const [text, source] =
    option !== undefined
      ? [option, name]
      : fromEnvironment !== undefined && fromEnvironment !== ""
        ? [fromEnvironment, variable]
        : [String(fallback), "the default"];
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535) {
    throw new UsageError(`${source} must be a port from 1 to 65535, not "${text}"`);
  }
  return port;
}

/** A URL of the web, from an option or the environment. @throws UsageError */
export function readUrl(text: string | undefined, source: string): string | undefined {
  if (text === undefined || text === "") return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(`${source} must be a URL such as http://localhost:2567, not "${text}"`);
  }
  return url.href;
}

/** A lobby's URL, or `public` for public relays. @throws UsageError */
export function readLobby(text: string | undefined, source: string): string | undefined {
  return text === "public" ? text : readUrl(text, source);
}

export function helpOf({ command, positional, summary, options, environment = {}, examples }: Usage): string {
  const table = (rows: [string, string][]): string[] => {
    const width = Math.max(...rows.map(([name]) => name.length));
    return rows.map(([name, help]) => `  ${name.padEnd(width)}  ${help}`);
  };
  const flags = Object.entries(options).map(([name, { value, help }]): [string, string] => [
    `--${name}${value === undefined ? "" : ` ${value}`}`,
    help,
  ]);
  const variables = Object.entries(environment);
  return [
    summary,
    "",
    `Usage: ${command}${positional === undefined ? "" : ` ${positional}`} [options]`,
    "",
    ...table([...flags, ["--help", "this text"]]),
    ...(variables.length > 0 ? ["", "Environment:", ...table(variables)] : []),
    "",
    "Examples:",
    ...examples.map((example) => `  ${example}`),
  ].join("\n");
}
