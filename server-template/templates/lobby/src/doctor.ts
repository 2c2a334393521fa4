/**
 * `npm run doctor`: does all that hosts and players do at this lobby, and says what does not work. On another machine,
 * `npm run doctor -- https://lobby.example` also sees what a provider's firewall keeps out.
 */
import { UDPSocket } from "sallyport";
import { HostRegistration, resolveInvite, type TraversalServers } from "sallyport/rendezvous";
import { openTurnRelay, stunBinding, type TurnRelay } from "sallyport/stun";
import { readSettings } from "./settings.ts";

const PATIENCE_MS = 10_000;
const AGAIN_MS = 200;
const lobby = process.argv[2] ?? readSettings().publicUrl;
let failures = 0;

/** Undefined when it failed, which has been said then. */
async function step<T>(
  what: string,
  todo: () => Promise<T>,
  say: (found: T) => string,
  advice: string,
): Promise<T | undefined> {
  try {
    const found = await todo();
    console.log(`ok      ${what}: ${say(found)}`);
    return found;
  } catch (error) {
    failures++;
    console.log(`failed  ${what}: ${error instanceof Error ? error.message : String(error)}\n        ${advice}`);
    return undefined;
  }
}

/** A host's place in the list, and the servers that the lobby tells it of. */
async function register(): Promise<{ registration: HostRegistration; servers: TraversalServers; code: string }> {
  const registration = new HostRegistration({ lobby, name: "npm run doctor" });
  const told = new Promise<TraversalServers>((resolve) => registration.once("servers", resolve));
  const lost = new Promise<never>((_, reject) => registration.once("lost", reject));
  try {
    const { code } = await Promise.race([registration.open({ signal: AbortSignal.timeout(PATIENCE_MS) }), lost]);
    return { registration, servers: await Promise.race([told, lost]), code };
  } catch (error) {
    await registration.close();
    throw error;
  }
}

/** Two relays of the lobby's: what one sends, the other hears. */
async function relay(urls: string, access: { username: string; credential: string }): Promise<number> {
  await using one = UDPSocket.open();
  await using other = UDPSocket.open();
  const servers = [{ urls, ...access }];
  await using from = await openTurnRelay({ socket: one, servers, timeoutMs: PATIENCE_MS });
  await using to = await openTurnRelay({ socket: other, servers, timeoutMs: PATIENCE_MS });
  from.permit(to.relayed.address);
  to.permit(from.relayed.address);
  to.onData = (data, address, port) => to.send(data, address, port);
  return await roundTrip(from, to);
}

function roundTrip(from: TurnRelay, to: TurnRelay): Promise<number> {
  return new Promise((resolve, reject) => {
    const ask = (): boolean => from.send(Buffer.from(String(performance.now())), to.relayed.address, to.relayed.port);
    const again = setInterval(ask, AGAIN_MS);
    const over = setTimeout(() => done(() => reject(new Error("nothing comes through"))), PATIENCE_MS);
    const done = (settle: () => void): void => {
      clearInterval(again);
      clearTimeout(over);
      settle();
    };
    // The first one waits for the permissions of both.
    let isOpen = false;
    from.onData = (data) => {
      if (isOpen) done(() => resolve(performance.now() - Number(data)));
      else isOpen = ask();
    };
    ask();
  });
}

async function stun(server: string): Promise<string> {
  await using socket = UDPSocket.open();
  const [outcome] = await stunBinding(socket, [server.replace(/^stun:/, "")]);
  if (outcome?.mapped === undefined) throw outcome?.error ?? new Error("no answer");
  return outcome.mapped.address;
}

console.log(`The lobby ${lobby}`);
const host = await step(
  "A game is hosted",
  register,
  ({ code }) => `its invite is ${code}`,
  "Is the lobby running, is PUBLIC_URL right, and does the firewall let its port in over TCP?",
);
if (host !== undefined) {
  const { registration, servers, code } = host;
  await step(
    "A player finds it",
    () => resolveInvite(code, { lobby, timeoutMs: PATIENCE_MS }),
    ({ name }) => `"${name}"`,
    "With REDIS_URL, each process needs a PUBLIC_URL by which players reach that very process.",
  );
  for (const server of servers.stun) {
    await step(
      server,
      () => stun(server),
      (address) => `it sees ${address}`,
      "Let its port in over UDP.",
    );
  }
  if (servers.stun.length === 0)
    console.log("none    STUN: hosts do not learn their public address (STUN_PORT, STUN_URLS)");
  for (const { urls, ...access } of servers.turn) {
    for (const url of urls) {
      await step(
        url,
        () => relay(url, access),
        (ms) => `two relays talk, round trip ${ms.toFixed(1)} ms`,
        "Let its port in over UDP and TCP, and TURN_RELAY_PORTS over UDP.",
      );
    }
  }
  if (servers.turn.length === 0) console.log("none    TURN: homes that nothing else reaches stay out (TURN=own)");
  await registration.close();
}
console.log(
  failures === 0
    ? "All of it works from here."
    : `${failures} of it ${failures === 1 ? "does" : "do"} not work from here.`,
);
process.exit(failures === 0 ? 0 : 2);
