// The game: `host NAME`, or `join NAME URL`, or `join NAME lan`. Both play by the same client; the host has the server beside it.
import { createInterface } from "node:readline";
import { SallyportClient } from "sallyport/client";
import { type Hosting, host, type TableRoom } from "./host.ts";

const [mode, name, address] = process.argv.slice(2);
if ((mode !== "host" && mode !== "join") || name === undefined || (mode === "join" && address === undefined)) {
  console.error("Usage: host NAME, or join NAME http://ADDRESS:PORT, or join NAME lan");
  process.exit(64);
}

const port = Number(process.env["PORT"] || 7777);
let hosting: Hosting | undefined;
if (mode === "host") {
  try {
    hosting = await host(name, port);
  } catch (error) {
    console.error(
      `Cannot host: ${error instanceof Error ? error.message : String(error)}. The variable PORT names another port.`,
    );
    process.exit(1);
  }
}

/** What a game's own menu would list: who hosts on this network. */
async function fromLan(): Promise<string> {
  const games = await SallyportClient.discover({ application: "listen-server" });
  for (const { description, players, url } of games) console.log(`${description} (${players} playing) at ${url}`);
  if (games[0]) return games[0].url;
  console.error("Nobody hosts on this network.");
  process.exit(1);
}

const room = await new SallyportClient(hosting?.url ?? (address === "lan" ? await fromLan() : address))
  .joinOrCreate<TableRoom>("table", { name })
  .catch((error: unknown) => {
    console.error(`Not in: ${error instanceof Error ? error.message : String(error)}. Is the host still there?`);
    process.exit(1);
  });
room.onMessage("said", ({ by, text }: { by: string; text: string }) => console.log(`${by}: ${text}`));
console.log(`In, ${room.path.kind} to ${room.path.remote}. What you type is said to all.`);
void hosting?.reachability().then((reachability) => console.log(reachability?.summary));

const over = Promise.withResolvers<void>();
room.onLeave(() => over.resolve());
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"] as const) process.on(signal, () => over.resolve());
createInterface({ input: process.stdin }).on("line", (text) => room.send("say", text));
await over.promise;

if (room.connection.isOpen) await room.leave();
await hosting?.[Symbol.asyncDispose]();
console.log("The game is over.");
process.exit(0);
