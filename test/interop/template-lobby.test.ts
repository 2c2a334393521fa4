/** `npm create sallyport my-lobby -- --template lobby`, from the packages as they would be published. */
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort, isFree, RunningProgram } from "./lobby-programs.ts";
import { createFrom, pack } from "./template-packages.ts";
import { run, Terminal } from "./template-terminal.ts";

const MINUTE = 60_000;
const INVITE = /[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}/;

let folder = "";
let lobby = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sallyport-lobby-"));
  lobby = join(folder, "our-lobby");
  const [sdk, create] = [await pack("sdk", folder), await pack("server-template", folder)];
  const argv = ["our-lobby", "--template", "lobby", "--yes", "--no-git"];
  const output = await createFrom({ sdk: sdk.path, create: create.path }, folder, argv);
  expect(output).toMatch(/Your lobby stands in our-lobby[^]*Next:\s+cd our-lobby\s+npm run dev/);
}, 5 * MINUTE);

afterAll(async () => {
  if (folder !== "") await rm(folder, { recursive: true, force: true });
});

test("its types are right, its tests pass", { timeout: 2 * MINUTE }, async () => {
  const check = await run(["npm", "run", "check"], { cwd: lobby });
  expect(check.code, check.output).toBe(0);
  const tests = await run(["npm", "test"], { cwd: lobby });
  expect(tests.code, tests.output).toBe(0);
  expect(tests.output).toMatch(/fail 0$/m);
});

test("carries its own name, and every setting is in .env", async () => {
  const read = (name: string): Promise<string> => readFile(join(lobby, name), "utf8");
  const [example, own, settings, unit] = await Promise.all(
    [".env.example", ".env", "src/settings.ts", "deploy/our-lobby.service"].map(read),
  );
  expect(own).toBe(example);
  const servers = await readFile(
    new URL("../../sdk/src/colyseus/lobby/servers-environment.ts", import.meta.url),
    "utf8",
  );
  const used = new Set(`${settings}${servers}`.match(/\b(?:STUN|TURN|TLS)_[A-Z_]+\b|(?<=env\.)[A-Z_]+/g));
  expect(used.size).toBeGreaterThan(18);
  for (const name of used) expect(example, name).toMatch(new RegExp(`^#?${name}=`, "m"));
  expect(unit).toContain("WorkingDirectory=/opt/our-lobby");
  for (const text of [example, settings, unit, await read("README.md"), await read("public/index.html")]) {
    expect(text).not.toContain("my-lobby");
  }
  await expect(stat(join(lobby, "_env.example"))).rejects.toThrow(/ENOENT/);
});

test("npm start: a host registers, a player joins by its invite, the doctor is content, and it ends", {
  timeout: 2 * MINUTE,
}, async () => {
  const [port, stunPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}/`;
  const env = { PORT: `${port}`, STUN_PORT: `${stunPort}`, PUBLIC_URL: url };
  await using server = new Terminal(["npm", "start"], { cwd: lobby, env });
  await server.line(/^It relays for players whom nothing else connects, on port \d+, UDP and TCP\.$/);
  await using host = new RunningProgram("host.ts", ["--port", `${await freePort()}`], { LOBBY_URL: url });
  const invite = INVITE.exec(await host.line(/Invite /))?.[0] ?? "";
  await using player = new RunningProgram("join.ts", [invite, "--lobby", url, "--seconds", "0.5", "--json"]);
  expect(await player.exited, player.output).toBe(0);
  expect(JSON.parse(player.stdout)).toMatchObject({ connected: true, lost: 0 });
  expect(await (await fetch(`${url}games`)).json()).toMatchObject([{ online: true }]);
  expect((await fetch(`${url}play/`)).status).toBe(404);

  const doctor = await run(["npm", "run", "doctor"], { cwd: lobby, env });
  expect(doctor.output).toMatch(/^ok {6}turn:127\.0\.0\.1:\d+\?transport=tcp: two relays talk, round trip/m);
  expect(doctor.output).toMatch(/^All of it works from here\.$/m);
  expect(doctor.code).toBe(0);

  const second = await run(["npm", "start"], { cwd: lobby, env: { ...env, STUN_PORT: `${await freePort()}` } });
  expect(second).toMatchObject({
    code: 1,
    output: expect.stringContaining(`Port ${port} is in use by another program.`),
  });
  server.interrupt();
  await server.exited;
  expect(await isFree(port)).toBe(true);
});

test("what does not work is named by the doctor, and by the lobby what is wrong in .env", async () => {
  const doctor = await run(["npm", "run", "doctor", "--", `http://127.0.0.1:${await freePort()}`], { cwd: lobby });
  expect(doctor.output).toMatch(
    /^failed {2}A game is hosted: .*cannot be reached[^]*1 of it does not work from here\.$/m,
  );
  expect(doctor.code).toBe(2);
  const wrong = await run(["npm", "start"], { cwd: lobby, env: { TURN_KBPS: "fast" } });
  expect(wrong).toMatchObject({
    code: 1,
    output: expect.stringMatching(/^TURN_KBPS must be a number above 0, not "fast"$/m),
  });
});
