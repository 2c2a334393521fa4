/** What the documentation says is so: its code compiles, its commands exist, its sentences are those of the code. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { GodotError, PacketPeerUDP, UDPServer } from "sallyport";
import { UPNP, UPNPDevice, UPNPResult } from "sallyport/upnp";
import { describe, expect, test } from "vitest";
import { codeBlocks } from "./docs-blocks.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PAGES = [
  "README.md",
  "sdk/README.md",
  "server-template/README.md",
  ...globSync("docs/*.md", { cwd: ROOT }),
].sort();
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

const blocks = PAGES.flatMap(codeBlocks);
const sources = globSync(["sdk/src/**/*.ts", "examples/lobby/src/**/*.ts", "server-template/templates/**/*.ts"], {
  cwd: ROOT,
}).map(read);

test("every block says what it is", () => {
  expect(blocks.length).toBeGreaterThan(20);
  for (const { page, line, language } of blocks) {
    expect([`${page}:${line}`, ["ts", "js", "html", "sh", "text", "ini", "nginx", "json"].includes(language)]).toEqual([
      `${page}:${line}`,
      true,
    ]);
  }
});

/** Guides for somebody who starts from nothing: here every block runs in a test, or says why not. */
const GUIDES = ["docs/your-first-game.md", "docs/shipping.md", "docs/deploying.md"];

test("every block of a guide runs in a test, or says why not", () => {
  const notRun = blocks.filter(({ why }) => why !== undefined);
  for (const { page, line, language, why } of notRun) console.log(`not run: ${page}:${line} (${language}) ${why}`);
  expect(notRun.length).toBeGreaterThan(3);
  for (const { page, line, language, file, why, code } of blocks) {
    if (!GUIDES.includes(page) || why !== undefined || file !== undefined) continue;
    // `ts` is compiled and `ini` read below; commands of a shell are looked up below, nginx' block is that of another page.
    expect([`${page}:${line}`, ["ts", "sh", "ini", "nginx"].includes(language) && code !== ""]).toEqual([
      `${page}:${line}`,
      true,
    ]);
  }
});

test("TypeScript compiles", { timeout: 120_000 }, () => {
  // Within the workspace, where the packages are to be found.
  const cache = join(ROOT, "test/node_modules");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "docs-"));
  try {
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: join(ROOT, "tsconfig.base.json"),
        compilerOptions: {
          noEmit: true,
          noUnusedLocals: false,
          rewriteRelativeImportExtensions: false,
          skipLibCheck: true,
        },
        include: ["*.ts"],
      }),
    );
    writeFileSync(join(folder, "package.json"), '{"type":"module"}');
    writeFileSync(join(folder, "reader.ts"), READER_HAS);
    const names = new Map<string, string>();
    for (const [i, { page, line, language, code, file }] of blocks.entries()) {
      // Those with a name are compiled together, by first-game.test.ts.
      if (language !== "ts" || file !== undefined) continue;
      names.set(`block-${i}.ts`, `${page}:${line}`);
      const supplied = code.includes('from "colyseus"')
        ? code.replaceAll('from "colyseus"', 'from "@colyseus/core"')
        : code;
      writeFileSync(join(folder, `block-${i}.ts`), `${supplied}\nexport {};\n`);
    }
    const compiled = spawnSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", folder], {
      encoding: "utf8",
    });
    const said = compiled.stdout.replaceAll(/\S*(block-\d+\.ts)/g, (_, name: string) => names.get(name) ?? name);
    expect(said).toBe("");
    expect(names.size).toBeGreaterThan(5);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** The README's blocks go on from what its reader has. */
const READER_HAS = `
export {};
declare global {
  const ArenaRoom: new () => import("@colyseus/core").Room;
  const x: number;
  const y: number;
}`;

describe("commands exist", () => {
  const scriptsOf = (manifest: string): string[] =>
    Object.keys((JSON.parse(read(manifest)) as { scripts: Record<string, string> }).scripts);
  const own = scriptsOf("package.json");
  const template = scriptsOf("server-template/templates/arena/package.json");
  const overview = execFileSync(process.execPath, [join(ROOT, "sdk/dist/cli/main.js"), "--help"], { encoding: "utf8" });
  const lines = blocks
    .filter(({ language, why }) => language === "sh" && why === undefined)
    .flatMap(({ page, code }) =>
      code
        .trim()
        .split("\n")
        .map((line) => ({ page, line: line.replace(/\s+#.*$/, "").trim() })),
    );

  test.each(lines.filter(({ line }) => line !== "" && !line.startsWith("#")))("$page: $line", ({ page, line }) => {
    for (const command of line.split(" && ")) {
      const [, assignments = "", words = ""] = /^((?:[A-Z_]+=\S+ )*)(.*)$/.exec(command) ?? [];
      // A variable that no program reads would be a promise that nobody keeps.
      for (const [name] of assignments.matchAll(/[A-Z_]+(?==)/g)) {
        expect(sources.some((source) => source.includes(name))).toBe(true);
      }
      expect(words).toMatch(
        /^(npm (install|test|start|ci --omit=dev|create sallyport .*|run .*|install \S+)|npx sallyport .*|cd my-game|node src\/(server|join)\.ts.*|cd \/opt\/my-game|curl -fsSL \S+ \| sudo bash -|sudo (apt-get (install|update)|cp|systemctl|useradd|npm ci)( .*)?)$/,
      );
      const script = /^npm (?:run )?(test|start|[\w:]+)(?: -w (\S+))?/.exec(words);
      if (words.startsWith("npm run") || /^npm (test|start)$/.test(words)) {
        const [, name = "", workspace] = script ?? [];
        const known =
          workspace === undefined
            ? [...own, ...(page === "README.md" ? [] : template)]
            : scriptsOf(`${workspace}/package.json`);
        expect(known).toContain(name);
      }
      const subcommand = /^npx sallyport (\w+)/.exec(words)?.[1];
      if (subcommand !== undefined) expect(overview).toMatch(new RegExp(`^  ${subcommand} `, "m"));
    }
  });
});

test("coturn knows each line of its configuration", () => {
  const { stdout, stderr, error } = spawnSync("turnserver", ["-h"], { encoding: "utf8" });
  const keys = blocks
    .filter(({ language }) => language === "ini")
    .flatMap(({ code }) =>
      code
        .trim()
        .split("\n")
        .map((line) => line.split("=", 1)[0] ?? ""),
    );
  expect(keys).toContain("use-auth-secret");
  if (error !== undefined) return; // no coturn here
  for (const key of keys) expect(stdout + stderr).toContain(`--${key}`);
});

/** As GitHub makes it of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
    .replaceAll(" ", "-");

test("links lead somewhere", () => {
  for (const page of PAGES) {
    for (const [, target = ""] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [file = "", anchor] = target.split("#");
      const path = file === "" ? join(ROOT, page) : resolve(ROOT, dirname(page), file);
      expect([page, target, existsSync(path)]).toEqual([page, target, true]);
      if (anchor === undefined || !path.endsWith(".md")) continue;
      const anchors = [...readFileSync(path, "utf8").matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
        anchorOf(heading),
      );
      expect([page, target, anchors.includes(anchor)]).toEqual([page, target, true]);
    }
  }
});

describe("troubleshooting", () => {
  const page = read("docs/troubleshooting.md");

  test("each verdict has its paragraph", () => {
    const type = /type Verdict = ([^;]+);/.exec(read("sdk/src/connectivity/reachability.ts"))?.[1] ?? "";
    const verdicts = [...type.matchAll(/"([\w-]+)"/g)].map(([, word]) => word ?? "");
    expect(verdicts.length).toBe(5);
    for (const verdict of verdicts) expect(page).toContain(`### ${verdict}\n`);
  });

  test("each step that the ladder can take is there", () => {
    const manager = globSync("sdk/src/connectivity/**/*.ts", { cwd: ROOT }).map(read).join("\n");
    const steps = new Set([...(manager.match(/(?<=\bstep: ")[\w-]+(?=")/g) ?? []), "pcp", "nat-pmp"]);
    for (const step of ["interfaces", "stun", "turn", "upnp"]) expect(steps).toContain(step);
    for (const step of steps) expect(page).toMatch(new RegExp(`^\\|[^|]*\\b${step}\\b`, "m"));
  });

  test("each sentence is one that the code says", () => {
    const said = [...page.matchAll(/^\| [^|]+ \| `([^`]+)` \|/gm)].map(([, sentence]) => sentence ?? "");
    expect(said.length).toBeGreaterThan(20);
    const whole = sources.join("\n");
    for (const sentence of said) expect([sentence, whole.includes(sentence)]).toEqual([sentence, true]);
  });
});

test("Godot's table names what there is", () => {
  const types: Record<string, readonly [prototype: object, type: object]> = {
    UPNP: [UPNP.prototype, new UPNP()],
    UPNPDevice: [UPNPDevice.prototype, new UPNPDevice()],
    UDPServer: [UDPServer.prototype, new UDPServer()],
    PacketPeerUDP: [PacketPeerUDP.prototype, new PacketPeerUDP()],
  };
  const named: string[] = [];
  for (const [, type = "", section = ""] of read("docs/from-godot.md").matchAll(
    /<!-- table: (\w+) -->([^]*?)<!-- end -->/g,
  )) {
    for (const [, ours = ""] of section.matchAll(/^\| `[^|]+` ?[^|]*\| `([^`]+)` \|/gm)) {
      // Enumerations and options of the constructor are no members.
      if (/^(UPNPResult|IGDStatus|GodotError)\.|Ms\b/.test(ours)) continue;
      for (const name of ours.replace(/\(.*/, "").split(", ")) {
        named.push(name);
        const owners = types[type] ?? [];
        expect([type, name, owners.some((owner) => name in owner)]).toEqual([type, name, true]);
      }
    }
  }
  expect(named.length).toBeGreaterThan(70);
  expect([UPNPResult.SUCCESS, GodotError.OK]).toEqual([0, 0]);
});
