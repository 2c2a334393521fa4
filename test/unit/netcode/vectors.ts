import { readFileSync } from "node:fs";

/** The shapes of vectors/netcode-1.02.json that the tests read. */
export interface Vector {
  name: string;
  kind: string;
  expect?: string;
  [field: string]: unknown;
}

const file = JSON.parse(readFileSync(new URL("vectors/netcode-1.02.json", import.meta.url), "utf8")) as {
  vectors: Vector[];
};

export const vectorCount: number = file.vectors.length;

export function vectorsOf<T = Vector>(kind: string): (Vector & T)[] {
  return file.vectors.filter((vector) => vector.kind === kind) as (Vector & T)[];
}

export const fromHex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));
export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** A 64-bit decimal as the two halves that packets use. */
export function halves(decimal: string): [low: number, high: number] {
  const value = BigInt(decimal);
  return [Number(value & 0xffff_ffffn), Number(value >> 32n)];
}

export function parseEndpoint(text: string): { address: string; port: number } {
  const ipv6 = /^\[(.*)\](?::(\d+))?$/.exec(text);
  if (ipv6) return { address: ipv6[1] ?? "", port: Number(ipv6[2] ?? 0) };
  if (text.split(":").length > 2) return { address: text, port: 0 };
  const [address = "", port = "0"] = text.split(":");
  return { address, port: Number(port) };
}
