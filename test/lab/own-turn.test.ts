// One lobby in one process, with TURN=own: players whom no direct way connects are relayed by it, without coturn.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type GatewayOptions, type Host, Lab } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/lobby/src/${name}.ts`, import.meta.url));

describeLab("a lobby with TURN=own", () => {
  let lab: Lab;
  let lobby: string;

  beforeAll(async () => {
    lab = await Lab.create();
    const meeting = await lab.host();
    lobby = `http://${meeting.address}:2567`;
    const process_ = meeting.spawn([process.execPath, program("lobby")], {
      cwd: ROOT,
      env: { PUBLIC_URL: lobby, TURN: "own" },
    });
    await process_.waitForPort("tcp", 2567);
  });

  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
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
});
