// Asks a lobby for many things at once, from as many addresses as it is told, and counts the answers by status.
import { randomBytes, randomInt } from "node:crypto";
import { Agent, request } from "node:http";

interface Args {
  /** `http://[2a11:0:1::2]:2567` */
  lobby: string;
  /** `guess` asks for games by codes that nobody has; `register` brings games under codes that are not theirs; `get` loads a page. */
  what: "guess" | "register" | "get";
  count: number;
  /** Default 1. */
  concurrency?: number;
  /** Of `get`. */
  path?: string;
  /** First groups of the IPv6 addresses to ask from, `2a13:7:7`: the rest is random. Without it the machine's own. */
  from?: string;
  /** Names another client in the headers of each request. */
  forged?: boolean;
  /** Guesses as who brings a game would ask for it. */
  asHost?: boolean;
}

const {
  lobby,
  what,
  count,
  concurrency = 1,
  path = "/",
  from,
  forged = false,
  asHost = false,
} = JSON.parse(process.argv[2] ?? "{}") as Args;
const ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

const letters = (length: number): string => Array.from({ length }, () => ALPHABET[randomInt(32)]).join("");
const someInvite = (): string => `${letters(4)}-${letters(4)}`;

function someAddress(prefix: string): string {
  const groups = prefix.split(":");
  while (groups.length < 8) groups.push(randomInt(0x1_0000).toString(16));
  return groups.join(":");
}

function forgedHeaders(): Record<string, string> {
  const address = [randomInt(1, 224), randomInt(256), randomInt(256), randomInt(256)].join(".");
  return { "x-real-ip": address, "x-forwarded-for": address, "x-client-ip": address, forwarded: `for=${address}` };
}

function bodyOf(kind: "guess" | "register"): object {
  if (kind === "guess" && !asHost) return { invite: someInvite() };
  const [proof, key] = [randomBytes(32).toString("base64url"), randomBytes(32).toString("base64url")];
  return { invite: someInvite(), role: "host", proof, key, details: { name: "x" } };
}

/** The status; 0 where there was no answer. */
function ask(): Promise<number> {
  const target = what === "get" ? path : `/matchmake/${what === "guess" ? "join" : "joinOrCreate"}/rendezvous`;
  return new Promise((resolve) => {
    const sent = request(new URL(target, lobby), {
      method: what === "get" ? "GET" : "POST",
      agent: new Agent({ keepAlive: false }),
      headers: { "content-type": "application/json", ...(forged ? forgedHeaders() : {}) },
      ...(from === undefined ? {} : { localAddress: someAddress(from) }),
    });
    sent.on("response", (response) => {
      response.resume();
      response.on("close", () => resolve(response.statusCode ?? 0));
    });
    sent.on("error", (error) => {
      console.error(error.message);
      resolve(0);
    });
    sent.end(what === "get" ? undefined : JSON.stringify(bodyOf(what)));
  });
}

const statuses: Record<string, number> = {};
const began = performance.now();
let worstMs = 0;
let left = count;
await Promise.all(
  Array.from({ length: concurrency }, async () => {
    while (left-- > 0) {
      const at = performance.now();
      const status = await ask();
      worstMs = Math.max(worstMs, performance.now() - at);
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  }),
);
console.log(JSON.stringify({ statuses, seconds: (performance.now() - began) / 1000, worstMs: Math.round(worstMs) }));
