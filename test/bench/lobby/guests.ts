/** Players who are introduced to waiting hosts at a steady rate, whatever the lobby needs for each. */
import { setTimeout as sleep } from "node:timers/promises";
import { introduceInNode } from "../../../sdk/src/rendezvous/guest/introduce-node.ts";

export interface GuestsArguments {
  links: string[];
  count: number;
  perSecond: number;
}

export interface GuestsReport {
  /** Of those that came about, ms. */
  times: number[];
  failed: number;
}

const { links, count, perSecond } = JSON.parse(process.argv[2] ?? "{}") as GuestsArguments;
console.warn = (): void => undefined;
console.info = (): void => undefined;

async function introduce(link: string): Promise<number> {
  const began = performance.now();
  const introduction = await introduceInNode(link, { timeoutMs: 30_000 });
  const ms = performance.now() - began;
  introduction.close();
  return ms;
}

// What the first one loads is not measured.
await introduce(links[0] ?? "").catch(() => undefined);
const began = performance.now();
const all: Promise<number | undefined>[] = [];
for (let n = 0; n < count; n++) {
  await sleep(Math.max(0, began + (n * 1000) / perSecond - performance.now()));
  all.push(introduce(links[n % links.length] ?? "").catch(() => undefined));
}
const times = (await Promise.all(all)).filter((ms) => ms !== undefined);
console.log(JSON.stringify({ times, failed: count - times.length } satisfies GuestsReport));
process.exit(0);
