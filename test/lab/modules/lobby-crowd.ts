// Many players on one machine, hence behind one address, who all open the same invite in the same moment and join the arena.
import { SallyportClient } from "../../../sdk/src/doors/client.ts";

const { invite, count } = JSON.parse(process.argv[2] ?? "{}") as { invite: string; count: number };
// Colyseus' client comments on every refusal.
console.warn = (): void => {};
console.info = (): void => {};

const reasons: Record<string, number> = {};
let inside = 0;
let slowestMs = 0;
await Promise.all(
  Array.from({ length: count }, async (_, index) => {
    const began = performance.now();
    try {
      const client = await SallyportClient.fromInvite(invite, { timeoutMs: 60_000 });
      const room = await client.joinOrCreate("arena", { name: `Player ${index}` });
      room.reconnection.enabled = false;
      inside++;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      reasons[reason] = (reasons[reason] ?? 0) + 1;
    }
    slowestMs = Math.max(slowestMs, performance.now() - began);
  }),
);
console.log(JSON.stringify({ inside, reasons, slowestMs: Math.round(slowestMs) }));
process.exit(0);
