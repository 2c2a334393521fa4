/** `npm run build:page`: a page for any static host, by which friends join an arena with an invite of `public`. */
import { copyFile, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { invitesFromEnvironment } from "sallyport/rendezvous";
import { readArguments, type Usage } from "./cli/arguments.ts";
import { runProgram } from "./cli/program.ts";
import { PAGE_FILES } from "./lobby/page.ts";
import { file, LIBRARIES } from "./lobby/static.ts";

const OUT = fileURLToPath(new URL("../dist/page/", import.meta.url));
const USAGE: Usage = {
  command: "npm run build:page --",
  summary: "Makes a folder that any static host can serve (GitHub Pages, itch.io): invite in, game on.",
  options: { out: { type: "string", value: "FOLDER", help: "where to (examples/lobby/dist/page)" } },
  environment: {
    SALLYPORT_RELAYS: "relays that the page asks in place of the package's list, with commas between them",
    SALLYPORT_STUN_URLS: "STUN servers that it asks in place of the package's list",
  },
  examples: ["npm run build:page", "npm run build:page -- --out docs"],
};

await runProgram(async () => {
  const out = resolve(readArguments(USAGE, process.argv.slice(2)).text("out") ?? OUT);
  await mkdir(out, { recursive: true });
  // Names of the package's files change with their content.
  for (const name of await readdir(out)) if (/^chunk-.*\.js$/.test(name)) await rm(join(out, name));
  for (const [path, source] of Object.entries(PAGE_FILES)) await copyFile(source, join(out, path));
  await copyFile(file("static.html"), join(out, "index.html"));
  await copyFile(`${LIBRARIES.sallyport}LICENSES.txt`, join(out, "LICENSES.txt"));
  const { relays, stunServers } = invitesFromEnvironment();
  await writeFile(join(out, "settings.js"), `export const settings = ${JSON.stringify({ relays, stunServers })};\n`);
  console.log(
    `The page stands in ${out}. Put it on a static host, and start the game with PAGE_URL=https://… --lobby public.`,
  );
  return 0;
});
