import { parseArgs } from "node:util";
import { closestMatch } from "leven";
import { EXIT, Failure } from "./failure.ts";

export const HELP = `Scaffolds a multiplayer game on Colyseus that is hosted from anywhere with Sallyport, or a lobby for such games.

Usage: npm create sallyport [FOLDER] [-- options]

  --template NAME   what to start from: TEMPLATES
  --install         install its packages; --no-install: do not
  --git             make it a git repository with a first commit; --no-git: do not
  --public          its invites work from anywhere, through public relays (LOBBY_URL=public in .env); --no-public: by address
                    and on the local network only
  --yes             ask nothing: what no option says is answered by the default (install, git, public)
  --force           write into a folder that is not empty; files of the same names are overwritten
  --sdk SPEC        another version of sallyport, or a tarball's path
  --help, --version

Examples:
  npm create sallyport my-game
  npm create sallyport my-game -- --yes --no-git
  npm create sallyport my-lobby -- --template lobby`;

export interface Arguments {
  folder: string | undefined;
  template: string | undefined;
  install: boolean | undefined;
  git: boolean | undefined;
  isPublic: boolean | undefined;
  yes: boolean;
  force: boolean;
  sdk: string | undefined;
  help: boolean;
  version: boolean;
}

const OPTIONS = {
  template: { type: "string" },
  install: { type: "boolean" },
  git: { type: "boolean" },
  public: { type: "boolean" },
  yes: { type: "boolean", short: "y", default: false },
  force: { type: "boolean", default: false },
  sdk: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
  version: { type: "boolean", default: false },
} as const;

/** @throws Failure */
export function readArguments(argv: readonly string[]): Arguments {
  const { values, positionals } = parse(argv);
  const [folder, extra] = positionals;
  if (extra !== undefined) {
    throw new Failure(
      `One folder is expected, not also "${extra}". A name with blanks needs quotes, or better dashes.`,
      EXIT.usage,
    );
  }
  const { template, install, git, public: isPublic, yes, force, sdk, help, version } = values;
  return { folder, template, install, git, isPublic, yes, force, sdk, help, version };
}

type Parsed = ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true; allowNegative: true }>>;

function parse(argv: readonly string[]): Parsed {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true, allowNegative: true });
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const unknown = /^Unknown option '(-\S+)'/.exec(said)?.[1];
    if (unknown === undefined) throw new Failure(`${said}. See --help.`, EXIT.usage);
    const options = Object.keys(OPTIONS).map((name) => `--${name}`);
    const nearest = closestMatch(unknown, options, { maxDistance: 2 });
    throw new Failure(
      `${unknown} is no option. ${nearest === undefined ? "See --help." : `Did you mean ${nearest}?`}`,
      EXIT.usage,
    );
  }
}
