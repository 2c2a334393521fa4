/** `npm create sallyport my-game` */
import { readFile } from "node:fs/promises";
import { basename, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { intro, log, outro, spinner } from "@clack/prompts";
import { type Arguments, HELP, readArguments } from "./arguments.ts";
import { EXIT, Failure } from "./failure.ts";
import { nameProblem, suggestName } from "./name.ts";
import { ask, askFolder, askTemplate } from "./questions.ts";
import { occupants, scaffold } from "./scaffold.ts";
import { initialiseGit, install, packageManager } from "./steps.ts";
import { DEFAULT_TEMPLATE, TEMPLATES, type Template } from "./templates.ts";

const ROOT: string = fileURLToPath(new URL("../", import.meta.url));

/** @returns the exit code */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    const options = readArguments(argv);
    if (options.help) {
      process.stdout.write(`${HELP.replace("TEMPLATES", Object.keys(TEMPLATES).join(", "))}\n`);
    } else if (options.version) {
      process.stdout.write(`${await ownVersion()}\n`);
    } else {
      await create(options);
    }
    return 0;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.message !== "") process.stderr.write(`${error.message}\n`);
    return error.exitCode;
  }
}

async function create(options: Arguments): Promise<void> {
  const asking = !options.yes && process.stdin.isTTY && process.stdout.isTTY;
  if (options.folder === undefined && !asking) {
    throw new Failure("Where to? Name the folder: npm create sallyport my-game", EXIT.usage);
  }
  if (options.template !== undefined) templateOf(options.template);
  if (asking) intro("Games that friends can join from anywhere");

  const template = options.template ?? (asking ? await askTemplate(TEMPLATES) : DEFAULT_TEMPLATE);
  const { noun, placeholder, hasInvites } = templateOf(template);
  const folder = options.folder ?? (await askFolder(noun, placeholder));
  const target = resolve(folder);
  const name = basename(target);
  const problem = nameProblem(name);
  if (problem !== undefined) {
    throw new Failure(
      `A package cannot be called "${name}": ${problem}. Try ${suggestName(name, placeholder)}.`,
      EXIT.usage,
    );
  }
  const overwrite = await mayWrite(target, options.force, asking);
  const wantsInstall = options.install ?? (asking ? await ask("Install its packages now?", true) : true);
  const wantsGit = options.git ?? (asking ? await ask("Make it a git repository?", true) : true);

  const question =
    "Shall friends join from anywhere, through public relays? These see your public address, nothing of the game.";
  const isPublic = hasInvites && (options.isPublic ?? (asking ? await ask(question, true) : true));

  const sdk = sdkOf(options.sdk) ?? `^${await ownVersion()}`;
  const source = resolve(ROOT, "templates", template);
  await scaffold({ target, template: source, placeholder, name, sdk, isPublic, overwrite });
  const say = asking ? log.success : console.log;
  say(`Your ${noun} stands in ${shown(target)}`);
  const manager = packageManager();
  const failure = wantsInstall ? await installing(target, manager, asking) : undefined;
  if (wantsGit) {
    const reason = await initialiseGit(target, noun);
    if (reason !== undefined) say(`No git repository was made: ${reason}.`);
  }
  if (failure !== undefined) throw failure;

  const steps = [
    ...(target === process.cwd() ? [] : [`cd ${shown(target)}`]),
    ...(wantsInstall ? [] : [`${manager} install`]),
    `${manager} run dev`,
  ];
  (asking ? outro : console.log)(`Next:\n${steps.map((step) => `     ${step}`).join("\n")}`);
}

/** Whether files may be overwritten. @throws Failure when the folder is another's and nobody says it may be used */
async function mayWrite(target: string, force: boolean, asking: boolean): Promise<boolean> {
  const others = await occupants(target);
  if (others.length === 0 || force) return force;
  const some = `${others.slice(0, 3).join(", ")}${others.length > 3 ? ` and ${others.length - 3} more` : ""}`;
  if (asking && (await ask(`${shown(target)} is not empty (${some}). Overwrite files of the same names?`, false))) {
    return true;
  }
  throw new Failure(
    `${shown(target)} is not empty: it holds ${some}. Choose another folder, or add --force to write into it.`,
    EXIT.cannotCreate,
  );
}

async function installing(
  target: string,
  manager: ReturnType<typeof packageManager>,
  onTerminal: boolean,
): Promise<Failure | undefined> {
  const progress = onTerminal ? spinner() : undefined;
  const doing = `Installing packages with ${manager}`;
  if (progress === undefined) console.log(doing);
  else progress.start(doing);
  try {
    await install(target, manager);
    progress?.stop("Packages installed");
    return undefined;
  } catch (error) {
    progress?.error("Packages not installed");
    if (error instanceof Failure) return error;
    throw error;
  }
}

/** @throws Failure when there is none of this name */
function templateOf(name: string): Template {
  const template = Object.hasOwn(TEMPLATES, name) ? TEMPLATES[name] : undefined;
  if (template !== undefined) return template;
  throw new Failure(`There is no template "${name}". There is: ${Object.keys(TEMPLATES).join(", ")}`, EXIT.usage);
}

async function ownVersion(): Promise<string> {
  const manifest = JSON.parse(await readFile(resolve(ROOT, "package.json"), "utf8")) as { version: string };
  return manifest.version;
}

/** A tarball's path counts from here, not from the new project. */
function sdkOf(spec: string | undefined): string | undefined {
  return spec?.endsWith(".tgz") && !spec.includes("://") ? `file:${resolve(spec.replace(/^file:/, ""))}` : spec;
}

/** As the person would type it. */
function shown(target: string): string {
  const path = relative(process.cwd(), target);
  return path === "" ? "this folder" : path.startsWith("..") ? target : path;
}
