/**
 * `npm run release`: what must hold before a version is published, and the two packages as files. It publishes nothing.
 *
 * Provenance (npm's attestation which commit and which CI run a file comes from) is made by `npm publish` in a CI that has an identity
 * (`id-token: write`), and names the repository of package.json: without one npm refuses.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PACKAGES = ["sdk", "server-template"] as const;

interface Manifest {
  name: string;
  version: string;
  repository?: string | { url?: string };
}

const manifests = PACKAGES.map((folder) => ({
  folder,
  ...(JSON.parse(readFileSync(`${ROOT}${folder}/package.json`, "utf8")) as Manifest),
}));

/** Ends the release. */
function stop(why: string): never {
  console.error(why);
  process.exit(1);
}

function run(what: string, ...command: string[]): void {
  console.log(`${what}: npm ${command.join(" ")}`);
  const { status } = spawnSync("npm", command, { cwd: ROOT, stdio: "inherit", shell: process.platform === "win32" });
  if (status !== 0) stop(`${what} has failed: nothing was packed.`);
}

const homeless = manifests.filter(({ repository }) => !(typeof repository === "string" ? repository : repository?.url));
if (homeless.length > 0) {
  const files = homeless.map(({ folder }) => `${folder}/package.json`).join(" and ");
  stop(
    `${files}: there is no "repository". Whoever publishes sets it, since provenance names it:\n` +
      `  "repository": { "type": "git", "url": "git+https://github.com/OWNER/NAME.git" }`,
  );
}
run("Types, lint, format, packages", "run", "--silent", "check");
run("Public relays and STUN servers", "run", "--silent", "relays:check");
run("Files", "pack", ...PACKAGES.flatMap((folder) => ["--workspace", folder]));
console.log("In CI, with an identity (id-token: write):");
for (const { name, version } of manifests)
  console.log(`  npm publish ./${name}-${version}.tgz --provenance --access public`);
