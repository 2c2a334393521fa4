#!/usr/bin/env node
import { enableCompileCache } from "node:module";
import {
  CannotCreateError,
  type Command,
  didYouMean,
  EXIT_CANNOT_CREATE,
  EXIT_SOFTWARE,
  EXIT_USAGE,
  UsageError,
} from "./command.ts";

/** Subcommands, each loaded when it is called. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  share: async () => (await import("./share.ts")).share,
  join: async () => (await import("./join.ts")).join,
  map: async () => (await import("./map.ts")).map,
  unmap: async () => (await import("./unmap.ts")).unmap,
  list: async () => (await import("./list.ts")).list,
  doctor: async () => (await import("./doctor.ts")).doctor,
};

async function overview(): Promise<string> {
  const commands = await Promise.all(
    Object.entries(COMMANDS).map(async ([name, load]) => `  ${name.padEnd(8)} ${(await load()).summary}`),
  );
  return `sallyport COMMAND [options]\n\n${commands.join("\n")}\n\nsallyport COMMAND --help tells more.`;
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(`${await overview()}\n`);
    return name === undefined ? EXIT_USAGE : 0;
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!load) {
    const meant = didYouMean(name, Object.keys(COMMANDS));
    process.stderr.write(`sallyport: there is no command ${name}.${meant}\n\n${await overview()}\n`);
    return EXIT_USAGE;
  }
  const command = await load();
  if (rest.includes("--help") || rest.includes("-h")) {
    process.stdout.write(`${command.usage}\n`);
    return 0;
  }
  try {
    return await command.run(rest);
  } catch (error) {
    if (error instanceof CannotCreateError) {
      process.stderr.write(`sallyport ${name}: ${error.message}\n`);
      return EXIT_CANNOT_CREATE;
    }
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`sallyport ${name}: ${error.message}\n\n${command.usage}\n`);
    return EXIT_USAGE;
  }
}

// A command is mostly loading: compiled code is kept between starts.
enableCompileCache();
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(
    `sallyport: an error of its own: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exitCode = EXIT_SOFTWARE;
}
