/** Hosts that wait at lobbies, as the SDK's own: each keeps its WebSocket, asks every 15 s, and answers whoever is introduced. */
import { HostRegistration } from "../../../sdk/src/rendezvous/host/registration.ts";

export interface HostsArguments {
  lobbies: string[];
  /** How many come at a time. */
  atATime: number;
}

export interface HostsAnswer {
  /** Links of some of those who wait. */
  links: string[];
  waiting: number;
  lost: number;
  ms: number;
}

const { lobbies, atATime } = JSON.parse(process.argv[2] ?? "{}") as HostsArguments;
const LINKS = 64;
const hosts: HostRegistration[] = [];
let lost = 0;
// Colyseus' client comments on every refusal.
console.warn = (): void => undefined;
console.info = (): void => undefined;

async function add(): Promise<void> {
  const lobby = lobbies[hosts.length % lobbies.length] ?? "";
  const host = new HostRegistration({
    lobby,
    name: `Game ${hosts.length}`,
    description: "Waits for players.",
    maxPlayers: 8,
    endpoints: ["http://203.0.113.7:7777"],
    timeoutMs: 60_000,
  });
  hosts.push(host);
  host.on("lost", () => lost++);
  host.on("introduction", () => undefined);
  await host.open();
}

/** Until there are so many. */
async function grow(count: number): Promise<HostsAnswer> {
  const began = performance.now();
  const workers = Array.from({ length: atATime }, async () => {
    while (hosts.length < count) await add();
  });
  await Promise.all(workers);
  const step = Math.max(1, Math.floor(hosts.length / LINKS));
  const links = hosts.filter((_, n) => n % step === 0).map(({ invite }) => invite?.url ?? "");
  return { links, waiting: hosts.length, lost, ms: performance.now() - began };
}

process.on("message", (count: number) => void grow(count).then((answer) => process.send?.(answer)));
process.on("disconnect", () => process.exit(0));
