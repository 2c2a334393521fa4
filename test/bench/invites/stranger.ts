/** What a stranger who repeats and forges every message costs a join: joins with and without one take turns. */
import { introduce } from "../../../sdk/src/rendezvous/guest/introduce.ts";
import { NODE_SOCKETS } from "../../../sdk/src/rendezvous/guest/introduce-node.ts";
import { HostRegistration } from "../../../sdk/src/rendezvous/host/registration.ts";
import { median } from "../../median.ts";
import { NostrRelay } from "../../relays/nostr-relay.ts";
import { Stranger } from "../../relays/stranger.ts";
import { until } from "../../until.ts";
import type { BenchRow } from "../row.ts";

const JOINS = 15;
const TARGET_MS = 1000;
/** As of the relays beside. */
const DELAYS_MS = [40, 80, 150];
/** A request of matchmaking, and its answer. */
const ASKED_BYTES = 700;
const ANSWERED_BYTES = 2500;

export async function strangerRows(): Promise<BenchRow[]> {
  const relays = await Promise.all(DELAYS_MS.map((delayMs) => NostrRelay.start({ delayMs })));
  const urls = relays.map(({ url }) => url);
  const registration = new HostRegistration({ lobby: "public", name: "Arena", relays: urls, stunServers: [] });
  registration.on("introduction", (introduction) => {
    introduction.onMessage(() => introduction.send(new Uint8Array(ANSWERED_BYTES)));
  });
  const { url, code } = await registration.open();
  await until(() => relays.every(({ connections }) => connections === 1));
  /** To the second answer of the host, as matchmaking and the connect token take. */
  const join = async (invite: string): Promise<number> => {
    const began = performance.now();
    const guest = await introduce(invite, { relays: urls, stunServers: [] }, NODE_SOCKETS);
    for (let asked = 0; asked < 2; asked++) {
      await new Promise<void>((resolve) => {
        guest.onMessage(() => resolve());
        guest.send(new Uint8Array(ASKED_BYTES));
      });
    }
    const ms = performance.now() - began;
    guest.close();
    return ms;
  };
  const rows: BenchRow[] = [];
  for (const [name, invite] of Object.entries({ link: url, code })) {
    const alone: number[] = [];
    const disturbed: number[] = [];
    let said = 0;
    await join(invite);
    for (let i = 0; i < JOINS; i++) {
      alone.push(await join(invite));
      const stranger = new Stranger(relays);
      disturbed.push(await join(invite));
      said += stranger.said;
      stranger[Symbol.dispose]();
    }
    const delay = Math.round(median(disturbed) - median(alone));
    rows.push({
      what: `invite of public, by ${name}, every message copied, replayed, reordered and forged: median delay of ${JOINS} joins`,
      value: `${delay} ms`,
      target: `${TARGET_MS} ms`,
      met: delay <= TARGET_MS,
      detail: [
        `${Math.round(median(disturbed))} ms, without the stranger ${Math.round(median(alone))}`,
        `the longest ${Math.round(Math.max(...disturbed))}, without ${Math.round(Math.max(...alone))}`,
        `${Math.round(said / JOINS)} forgeries and copies a join; none failed`,
      ].join("; "),
    });
  }
  await registration.close();
  await Promise.all(relays.map((relay) => relay[Symbol.asyncDispose]()));
  return rows;
}
