/** The package where Colyseus is not installed: somebody who needs one part, or shares a port by invite. */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const run = promisify(execFile);
/** What is Colyseus' own, and what a page loads. */
const NEEDS_COLYSEUS = new Set(["./colyseus", "./client", "./browser", "./package.json"]);

interface Manifest {
  exports: Record<string, unknown>;
  dependencies: Record<string, string>;
}

let folder: string;
let manifest: Manifest;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sallyport-alone-"));
  manifest = JSON.parse(await readFile(join(ROOT, "sdk/package.json"), "utf8")) as Manifest;
  const installed = join(folder, "node_modules/sallyport");
  await cp(join(ROOT, "sdk/dist"), join(installed, "dist"), { recursive: true });
  await cp(join(ROOT, "sdk/package.json"), join(installed, "package.json"));
  for (const name of Object.keys(manifest.dependencies)) {
    const link = join(folder, "node_modules", name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(ROOT, "node_modules", name), link);
  }
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs a module's text there; what it logs is JSON. */
async function answer(code: string): Promise<unknown> {
  const argv = ["--input-type=module", "--eval", code];
  const { stdout } = await run(process.execPath, argv, { cwd: folder, timeout: 30_000 });
  return JSON.parse(stdout) as unknown;
}

test("all doors but Colyseus' own open", async () => {
  const doors = Object.keys(manifest.exports).filter((door) => !NEEDS_COLYSEUS.has(door));
  expect(doors).toContain("./rendezvous");
  const opened = await answer(`
    const opened = [];
    for (const door of ${JSON.stringify(doors)}) {
      if (Object.keys(await import("sallyport" + door.slice(1))).length > 0) opened.push(door);
    }
    console.log(JSON.stringify(opened));
  `);
  expect(opened).toEqual(doors);
});

test("a lobby's URL says what to install; what can be said without it comes first", async () => {
  const said = await answer(`
    import { HostRegistration, introduce, resolveInvite } from "sallyport/rendezvous";
    const lobby = "http://127.0.0.1:9";
    const failure = ({ code, message }) => [code, message];
    console.log(JSON.stringify({
      introduce: await introduce("K7Q2-9FXM", { lobby }).catch(failure),
      resolve: await resolveInvite("K7Q2-9FXM", { lobby }).catch(failure),
      register: await new HostRegistration({ lobby, name: "Arena" }).open().catch(failure),
      nonsense: await introduce("K7Q2-9FX0", { lobby }).catch(failure),
      noURL: await introduce("K7Q2-9FXM", { lobby: "lobby.example" }).catch(failure),
    }));
  `);
  const missing = ["missing-package", expect.stringContaining("npm install @colyseus/sdk")];
  expect(said).toEqual({
    introduce: missing,
    resolve: missing,
    register: missing,
    nonsense: ["invalid-invite", expect.any(String)],
    noURL: ["invalid", expect.any(String)],
  });
});
