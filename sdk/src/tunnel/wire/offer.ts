/**
 * What a guest asks a host for, sealed, before there is a session:
 *
 *     POST /sallyport/tunnel   { protocol, guest }
 *     200                      { protocol, token, name, ports: ["7777/udp", …] }
 *
 * `guest` is 16 random bytes in Base64url, of this guest alone: who comes back with it gets its flows again. `token` is a
 * connect token in Base64. Other answers are `{ error }`, a sentence.
 */

import { printable } from "../../net/printable.ts";
import { CONNECT_TOKEN_BYTES } from "../../netcode/constants.ts";
import { MAX_PORTS, parsePorts, type TunnelPort } from "./ports.ts";

export const TUNNEL_PATH = "/sallyport/tunnel";
/** Version of this, and of what the session carries (protocol.ts). Both ends name it. */
export const TUNNEL_PROTOCOL = 1;

const GUEST_ID = /^[\w-]{22}$/;
const MAX_NAME = 64;
const MAX_TEXT = 16_384;

export interface TunnelRequest {
  protocol: number;
  /** 22 characters of Base64url. */
  guest: string;
}

export interface TunnelOffer {
  token: Uint8Array;
  /** What the host calls itself; safe to show. May be empty. */
  name: string;
  ports: TunnelPort[];
}

export function encodeRequest(guest: string): string {
  return JSON.stringify({ protocol: TUNNEL_PROTOCOL, guest });
}

/** Undefined for what is none. */
export function parseRequest(text: string): TunnelRequest | undefined {
  const value = parseObject(text);
  const { protocol, guest } = value ?? {};
  if (!Number.isSafeInteger(protocol) || typeof guest !== "string" || !GUEST_ID.test(guest)) return undefined;
  return { protocol: protocol as number, guest };
}

export function encodeOffer({ token, name, ports }: TunnelOffer): string {
  return JSON.stringify({
    protocol: TUNNEL_PROTOCOL,
    token: Buffer.from(token).toString("base64"),
    name,
    ports: ports.map(({ port, protocol }) => `${port}/${protocol}`),
  });
}

/** Undefined for what is none. */
export function parseOffer(text: string): TunnelOffer | undefined {
  const { protocol, token, name, ports } = parseObject(text) ?? {};
  if (protocol !== TUNNEL_PROTOCOL || typeof token !== "string" || typeof name !== "string") return undefined;
  if (!Array.isArray(ports) || ports.length > MAX_PORTS) return undefined;
  if (!ports.every((port) => typeof port === "string" && port.includes("/"))) return undefined;
  const bytes = Buffer.from(token, "base64");
  if (bytes.length !== CONNECT_TOKEN_BYTES) return undefined;
  try {
    return { token: bytes, name: printable(name).slice(0, MAX_NAME), ports: parsePorts(ports as string[]) };
  } catch {
    return undefined;
  }
}

/** The sentence of an answer that is no offer, safe to show; undefined where there is none. */
export function parseRefusal(text: string): string | undefined {
  const { error } = parseObject(text) ?? {};
  return typeof error === "string" ? printable(error).slice(0, 200) : undefined;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  if (text.length > MAX_TEXT) return undefined;
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
