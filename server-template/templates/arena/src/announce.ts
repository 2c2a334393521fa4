/** Tells whoever hosts how friends get in, and keeps a lobby up to date if there is one. */
import { matchMaker } from "@colyseus/core";
import type { Reachability } from "sallyport";
import type { SallyportTransport } from "sallyport/colyseus";
import { HostRegistration } from "sallyport/rendezvous";

const PLAYERS_EVERY_MS = 2000;

export async function announce(transport: SallyportTransport, port: number): Promise<void> {
  const { connectivity } = transport;
  if (connectivity === undefined) return;
  const lobby = process.env.LOBBY_URL;
  const registration = lobby ? register(lobby) : undefined;
  let said = "";
  const tell = (reachability: Reachability): void => {
    const { summary, verdict } = reachability;
    if (summary !== said) console.log(summary);
    said = summary;
    registration?.update({ verdict, endpoints: urlsOf(reachability, port, lobby) });
  };
  connectivity.on("change", tell);
  tell(await connectivity.open());
  await registration?.open();
}

function register(lobby: string): HostRegistration {
  const registration = new HostRegistration({ lobby, name: process.env.GAME_NAME || "My game" });
  let said = "";
  registration.on("registered", ({ code, url }) => {
    if (code !== said) console.log(`Invite your friends: ${code}   ${url}`);
    said = code;
  });
  registration.on("lost", ({ message }) => console.error(`No lobby for now, trying on: ${message}`));
  registration.on("failed", ({ message }) => console.error(`No lobby: ${message}`));
  setInterval(() => registration.update({ players: matchMaker.stats.local.ccu }), PLAYERS_EVERY_MS).unref();
  // Off the list before the door closes.
  process.once("SIGINT", () => void registration.close());
  process.once("SIGTERM", () => void registration.close());
  return registration;
}

/** What players try, best first. UDP and TCP share a port number, so that one URL stands for both. */
function urlsOf({ endpoints }: Reachability, port: number, lobby = ""): string[] {
  const urls = endpoints
    .filter(({ address, kind }) => address !== "" && kind !== "reflexive")
    .map(({ address, port }) => `http://${address.includes(":") ? `[${address}]` : address}:${port}`);
  // A lobby on this machine has players on this machine.
  if (/^https?:\/\/(localhost|127\.)/.test(lobby)) urls.push(`http://127.0.0.1:${port}`);
  return [...new Set(urls)].slice(0, 32);
}
