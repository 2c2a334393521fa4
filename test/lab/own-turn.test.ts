// A lobby of one process, as the template makes it: players whom no direct way connects are relayed by it, without coturn.
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type GatewayOptions, type Host, Lab, type LabProcess } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/lobby/src/${name}.ts`, import.meta.url));

describeLab("a scaffolded lobby", () => {
  let lab: Lab;
  let lobby: string;
  let scratch: string;
  let server: LabProcess;

  beforeAll(async () => {
    lab = await Lab.create();
    const meeting = await lab.host();
    lobby = `http://${meeting.address}:2567`;
    // Within the workspace, so that its packages are found without a registry.
    scratch = await mkdtemp(join(ROOT, "test/lab/.lobby-"));
    const create = join(ROOT, "server-template/bin/create-sallyport.js");
    const argv = ["my-lobby", "--template", "lobby", "--yes", "--no-install", "--no-git"];
    const created = await meeting.exec([process.execPath, create, ...argv], { cwd: scratch });
    expect(created.code, created.output).toBe(0);
    server = meeting.spawn(["npm", "start"], { cwd: join(scratch, "my-lobby"), env: { PUBLIC_URL: lobby } });
    await server.waitForLine(/^It relays for players whom nothing else connects, on port 3478/, 30_000);
  });

  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
    await rm(scratch, { recursive: true, force: true });
  });

  const home = async (options: GatewayOptions): Promise<Host> => await (await lab.gateway(options)).host();

  test.each([
    ["two symmetric NATs", { nat: "symmetric" }],
    ["a home that blocks UDP", { nat: "port-restricted", blockUdp: true }],
  ] as const)("%s: joined by invite, relayed, nothing lost", async (_, options) => {
    const [host, client] = [await home({ nat: "symmetric" }), await home(options)];
    const game = host.spawn([process.execPath, program("host"), "--lobby", lobby, "--json"], {
      cwd: ROOT,
      env: { SALLYPORT_VIA: "none" },
    });
    const { url } = await game.waitForJson<{ event: string; url: string }>(({ event }) => event === "invite", 20_000);
    await game.waitForJson<{ event: string; endpoints: { kind: string }[] }>(
      ({ event, endpoints }) => event === "reachability" && endpoints.some(({ kind }) => kind === "relayed"),
      20_000,
    );
    const player = client.spawn([process.execPath, program("join"), url, "--seconds", "2", "--json"], { cwd: ROOT });
    const report = await player.waitForJson<Record<string, unknown>>((value) => "connected" in value, 60_000);
    expect(report, player.output.join("\n")).toMatchObject({ connected: true, path: "relayed", lost: 0 });
    game.kill("SIGTERM");
    await game.exited;
  });

  test("the doctor, at home behind a router, finds nothing wrong", async () => {
    const visitor = await home({ nat: "port-restricted" });
    const told = await visitor.exec(["npm", "run", "doctor", "--", lobby], { cwd: join(scratch, "my-lobby") });
    expect(told.output).toMatch(/^ok {6}turn:\S+transport=udp: two relays talk[^]*^All of it works from here\.$/m);
  });

  test("SIGTERM, as systemd sends it, ends it at once", async () => {
    server.kill("SIGTERM");
    await server.exited;
  });
});
