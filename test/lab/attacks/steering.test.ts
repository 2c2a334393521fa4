// An invited player gives somebody else's address as its own. The host, the real program at home, must not flood that somebody, nor
// spend its descriptors on it. A victim who counts stands in the same internet.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { countAt, eventOf, type Traffic } from "../forgery.ts";
import { type Gateway, Lab, type LabProcess, type NatKind } from "../lab/index.ts";
import { describeLab } from "../lab/vitest.ts";
import type { SteererArgs } from "../modules/steerer.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const program = (name: string): string =>
  fileURLToPath(new URL(`../../../examples/lobby/src/${name}.ts`, import.meta.url));
const STEERER = new URL("../modules/steerer.ts", import.meta.url);
const SECONDS = 30;
/** The process's share for an address that has never answered: see net/unanswered-budget.ts. */
const PACKETS = 64 + 2 * (SECONDS + 15);
/** RFC 9000 section 8: bytes for one. */
const LIMIT = 3;
/** The sockets of one round of guessing, and what a busy host may open besides. */
const DESCRIPTORS = 256 + 100;

interface Row extends Traffic {
  attack: string;
  said: number;
}

describeLab("an invited player who names somebody else's address", () => {
  let lab: Lab;
  let lobby: string;
  const rows: Row[] = [];

  beforeAll(async () => {
    lab = await Lab.create();
    const coturn = await lab.coturn({ secret: "s" });
    const meeting = await lab.host();
    lobby = `http://${meeting.address}:2567`;
    const lobbyProcess = meeting.spawn([process.execPath, program("lobby")], {
      cwd: ROOT,
      env: {
        PUBLIC_URL: lobby,
        STUN_URLS: coturn.addresses.map((address) => `stun:${address}:3478`).join(","),
        TURN_URLS: `turn:${coturn.address}:3478`,
        TURN_SECRET: "s",
      },
    });
    await lobbyProcess.waitForPort("tcp", 2567);
  }, 60_000);

  afterAll(async () => {
    for (const { attack, said, packets, bytes } of rows) {
      console.log(`${attack}: ${said} bytes said, ${packets} packets, ${bytes} bytes, ${(bytes / said).toFixed(1)} x`);
    }
    await lab[Symbol.asyncDispose]();
  });

  async function host(nat: NatKind): Promise<{ game: LabProcess; gateway: Gateway; invite: string }> {
    const gateway = await lab.gateway({ nat });
    const game = (await gateway.host()).spawn([process.execPath, program("host"), "--lobby", lobby, "--json"], {
      cwd: ROOT,
      env: { SALLYPORT_VIA: "none", SALLYPORT_LAN: "none" },
    });
    const { url } = await game.waitForJson<{ event: string; url: string }>(({ event }) => event === "invite", 20_000);
    type Reached = { event: string; endpoints: { kind: string }[]; nat?: { mapping?: string; filtering?: string } };
    await game.waitForJson<Reached>(
      ({ event, endpoints, nat }) =>
        event === "reachability" &&
        endpoints.some(({ kind }) => kind === "relayed") &&
        nat?.filtering === "address-and-port-dependent",
      30_000,
    );
    return { game, gateway, invite: url };
  }

  const ATTACKS: readonly (Omit<SteererArgs, "invite" | "victim" | "seconds"> & { nat: NatKind })[] = [
    { by: "ice", nat: "port-restricted", symmetric: false, introductions: 1 },
    { by: "guess", nat: "port-restricted", symmetric: true, introductions: 1 },
    { by: "relayed", nat: "port-restricted", symmetric: true, introductions: 1 },
    { by: "relayed", nat: "port-restricted", symmetric: true, introductions: 4 },
    { by: "guess", nat: "symmetric", symmetric: false, introductions: 4 },
    { by: "relayed", nat: "symmetric", symmetric: false, introductions: 4 },
  ];

  // Each has a host, a villain and a victim of its own.
  test.concurrent.each(ATTACKS)(
    "by $by, $introductions times, a host behind a $nat NAT",
    { timeout: 120_000 },
    async ({ nat, ...attack }) => {
      const [{ game, gateway, invite }, villain, victim] = await Promise.all([host(nat), lab.host(), lab.host()]);
      const received = await countAt(victim, gateway.wanAddress);
      const descriptors = (): number => readdirSync(`/proc/${game.pid}/fd`).length;
      const before = descriptors();
      let most = before;
      const watch = setInterval(() => (most = Math.max(most, descriptors())), 200);
      try {
        const args = { ...attack, invite, victim: victim.address, seconds: SECONDS } satisfies SteererArgs;
        const steerer = villain.spawnModule(STEERER, args);
        const said = (await eventOf(steerer, "steered", 90_000))["bytes"] as number;
        const traffic = await received();
        const { by, introductions } = attack;
        rows.push({ attack: `${by}, ${introductions} introductions, ${nat}; ${most} descriptors`, said, ...traffic });
        expect(traffic.packets).toBeGreaterThan(0);
        expect(traffic.packets).toBeLessThanOrEqual(PACKETS);
        expect(traffic.bytes).toBeLessThanOrEqual(LIMIT * said);
        expect(most - before).toBeLessThanOrEqual(DESCRIPTORS);
      } finally {
        clearInterval(watch);
        game.kill("SIGTERM");
        await game.exited;
      }
    },
  );
});
