import { expect } from "vitest";
import type { DeliveryMode } from "../../../sdk/src/channel/wire/types.ts";
import type { Side, Simulation } from "./simulator.ts";

export const MODES: readonly DeliveryMode[] = ["reliable", "reliable-unordered", "unreliable", "unreliable-sequenced"];

export interface Sent {
  data: Uint8Array;
  mode: DeliveryMode;
  channel: number;
}

export type Random = () => number;
export const upTo = (random: Random, n: number): number => Math.floor(random() * n);
export const oneOf = <T>(random: Random, values: readonly [T, ...T[]]): T =>
  values[upTo(random, values.length)] ?? values[0];

/** Bytes that tell their number and that show any mix-up. */
export function numbered(n: number, length: number): Uint8Array {
  const data = new Uint8Array(Math.max(length, 4));
  for (let i = 4; i < data.length; i++) data[i] = (n * 31 + i * 7) & 0xff;
  new DataView(data.buffer).setUint32(0, n);
  return data;
}

export function numberOf(data: Uint8Array): number {
  return new DataView(data.buffer, data.byteOffset).getUint32(0);
}

/** Holds what arrived against what was sent: every mode's promise. */
export function check(sent: readonly Sent[], side: Side): void {
  expect(side.failures).toEqual([]);
  const seen = new Set<number>();
  const newest = new Map<string, number>();
  for (const { data, mode, channel } of side.arrived) {
    const n = numberOf(data);
    const original = sent[n];
    if (!original || Buffer.compare(original.data, data) !== 0) throw new Error(`message ${n} arrived changed`);
    if (original.mode !== mode || original.channel !== channel) throw new Error(`message ${n} arrived elsewhere`);
    if (seen.has(n)) throw new Error(`message ${n} (${mode}) arrived twice`);
    seen.add(n);
    if (mode === "reliable" || mode === "unreliable-sequenced") {
      const key = `${mode} ${channel}`;
      if ((newest.get(key) ?? -1) > n) throw new Error(`message ${n} (${mode}) arrived out of order`);
      newest.set(key, n);
    }
  }
  for (const [n, { mode }] of sent.entries()) {
    if (mode.startsWith("reliable") && !seen.has(n)) throw new Error(`message ${n} (${mode}) never arrived`);
  }
}

/** Messages of every mode and size, at random times. @returns what was sent, as it is sent. */
export function randomTraffic(simulation: Simulation, side: Side, random: Random, maxMessageBytes: number): Sent[] {
  const sent: Sent[] = [];
  const count = oneOf(random, [5, 50, 200]);
  const spanMs = oneOf(random, [1, 200, 3000]);
  const channels = oneOf(random, [1, 3]);
  for (let i = 0; i < count; i++) {
    simulation.at(1000 + random() * spanMs, () => {
      const mode = MODES[upTo(random, 4)] ?? "reliable";
      const large = random() < 0.03;
      const cap = mode.startsWith("reliable") ? maxMessageBytes : 8000;
      const length = Math.min(large ? upTo(random, 60_000) : upTo(random, oneOf(random, [20, 200, 1500])), cap);
      const message = { data: numbered(sent.length, length), mode, channel: upTo(random, channels) };
      const priority = random() < 0.1 ? upTo(random, 20) - 10 : 0;
      if (!side.endpoint.send(message.data, mode, { channel: message.channel, priority })) {
        throw new Error(`message ${sent.length} of ${length} bytes was refused`);
      }
      sent.push(message);
    });
  }
  return sent;
}
