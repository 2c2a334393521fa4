/**
 * Makes `dist/standalone/` of the door for browsers: `sallyport.js`, an ES module for pages without a bundler, and the files that it
 * loads itself, some of them only when an invite is used. Beside it `predict.js` and `debug.js`, Colyseus' prediction and debug panel,
 * which share its copy of Colyseus. What others wrote of it stands in LICENSES.txt.
 */
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const sdk = fileURLToPath(new URL("./", import.meta.url));
const { metafile } = await build({
  absWorkingDir: sdk,
  entryPoints: {
    sallyport: "dist/doors/browser.js",
    predict: "@colyseus/sdk/predict",
    debug: "@colyseus/sdk/debug",
  },
  outdir: "dist/standalone",
  bundle: true,
  splitting: true,
  chunkNames: "[name]-[hash]",
  minify: true,
  format: "esm",
  platform: "browser",
  target: "es2023",
  legalComments: "none",
  banner: { js: "// Sallyport for browsers, with Colyseus' client. Licences: LICENSES.txt" },
  metafile: true,
  logLevel: "warning",
});

// The names change with the content: what an earlier build left must not be published.
const made = new Set(Object.keys(metafile.outputs).map((output) => basename(output)));
for (const name of readdirSync(`${sdk}dist/standalone`)) {
  if (!made.has(name)) rmSync(`${sdk}dist/standalone/${name}`);
}

/** The folder of each package that is in it. */
const packages = new Set(
  Object.keys(metafile.inputs).flatMap((input) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1] ?? []),
);
const licences = [...packages].toSorted().map((folder) => {
  const directory = new URL(`${folder}/`, import.meta.url);
  const { name, version, license } = JSON.parse(readFileSync(new URL("package.json", directory), "utf8")) as {
    name: string;
    version: string;
    license?: string;
  };
  const file = readdirSync(directory).find((each) => /^licen[cs]e/i.test(each));
  const text = file ? readFileSync(new URL(file, directory), "utf8").trim() : "";
  return `${name} ${version}, ${license ?? "see its text"}\n\n${text}`;
});
writeFileSync(`${sdk}dist/standalone/LICENSES.txt`, `${licences.join(`\n\n${"-".repeat(80)}\n\n`)}\n`);

// npm makes a command executable where it installs it; a copy or a link of this folder has none to do that.
chmodSync(`${sdk}dist/cli/main.js`, 0o755);
