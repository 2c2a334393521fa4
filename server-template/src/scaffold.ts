/** Copies a template into a folder, and overwrites nothing unless told to. */
import { copyFile, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { EXIT, Failure } from "./failure.ts";

/** npm takes files of these names out of packages, or obeys them: they travel under others. */
const RENAMED: Readonly<Record<string, readonly string[]>> = {
  _gitignore: [".gitignore"],
  _npmrc: [".npmrc"],
  // One that is kept with the project, and one for the person's own settings.
  "_env.example": [".env.example", ".env"],
};
/** What may be there already: it says nothing of another project. */
const HARMLESS: readonly string[] = [".git", ".gitattributes", ".DS_Store", "Thumbs.db", ".idea", ".vscode", "LICENSE"];

export interface ScaffoldOptions {
  /** Absolute. Made if it is not there. */
  target: string;
  /** The template's folder. */
  template: string;
  /** Stands for the project's name in the template's texts. */
  placeholder: string;
  name: string;
  /** What package.json asks of sallyport. */
  sdk: string;
  /** Invites go through public relays. */
  isPublic: boolean;
  overwrite: boolean;
}

/** Entries of the folder that make it another's; none when it is not there. @throws Failure if it is no folder */
export async function occupants(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((entry) => !HARMLESS.includes(entry));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    if (code === "ENOTDIR") throw new Failure(`${folder} is a file. Choose another name.`, EXIT.cannotCreate);
    throw new Failure(`${folder} cannot be read (${code}). Choose another folder.`, EXIT.cannotCreate);
  }
}

/** @throws Failure before anything is written, if something would be overwritten that should not */
export async function scaffold(options: ScaffoldOptions): Promise<void> {
  const { target, template, placeholder, name, sdk, isPublic, overwrite } = options;
  const files = (await filesIn(template)).flatMap((file) =>
    (RENAMED[file] ?? [file]).map((as) => ({ from: join(template, file), to: as.replace(placeholder, name) })),
  );
  if (!overwrite) {
    const there = await Promise.all(files.map(async ({ to }) => ((await exists(join(target, to))) ? [to] : [])));
    const [first] = there.flat();
    if (first !== undefined) {
      throw new Failure(`${join(target, first)} is there already. --force overwrites it.`, EXIT.cannotCreate);
    }
  }
  try {
    for (const { from, to } of files) {
      const path = join(target, to);
      await mkdir(dirname(path), { recursive: true });
      const text = await readFile(from, "utf8");
      const named = to === "package.json" ? fillPackage(text, name, sdk) : text.replaceAll(placeholder, name);
      const filled = to === ".env" && isPublic ? named.replace(/^#(?=LOBBY_URL=public$)/m, "") : named;
      if (filled === text) await copyFile(from, path);
      else await writeFile(path, filled);
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Failure(`${target} cannot be written: ${code ?? message}. Choose another folder.`, EXIT.cannotCreate);
  }
}

function fillPackage(text: string, name: string, sdk: string): string {
  const manifest = JSON.parse(text) as { name: string; dependencies: Record<string, string> };
  manifest.name = name;
  manifest.dependencies["sallyport"] = sdk;
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** Relative paths. What a try-out of the template itself leaves there stays there. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((path) => !path.startsWith("node_modules") && path !== "package-lock.json");
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
