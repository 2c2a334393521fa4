import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { CONNECT_PATH, type ConnectRequest, MAX_CONNECT_REQUEST_BYTES, MAX_DIALED } from "../session/exchange.ts";
import { type Endpoint, normalizeAddress } from "../udp/endpoint.ts";
import type { Seat } from "./seat.ts";

export interface ParsedConnectRequest {
  seat: Seat;
  dialed: Endpoint[];
}

/** True behind any prefix too: a proxy may hand the path on whole. */
export function isConnectRequest(request: IncomingMessage): boolean {
  return (request.url ?? "").split("?", 1)[0]?.endsWith(CONNECT_PATH) ?? false;
}

/** @returns null when it is larger than a request may be, or was cut short. */
export async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > MAX_CONNECT_REQUEST_BYTES) return null;
      chunks.push(chunk);
    }
  } catch {
    return null;
  }
  return Buffer.concat(chunks);
}

/** @returns null for anything that is no well-formed request. */
export function parseConnectRequest(body: Uint8Array): ParsedConnectRequest | null {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(body).toString("utf8"));
  } catch {
    return null;
  }
  if (typeof json !== "object" || json === null) return null;
  const { roomId, sessionId, reconnectionToken = "", skipHandshake = false, dialed = [] } = json as ConnectRequest;
  if (typeof roomId !== "string" || typeof sessionId !== "string" || typeof reconnectionToken !== "string") return null;
  if (roomId === "" || sessionId === "" || typeof skipHandshake !== "boolean") return null;
  if (!Array.isArray(dialed) || dialed.length > MAX_DIALED || !dialed.every(isEndpoint)) return null;
  return {
    seat: { roomId, sessionId, reconnectionToken, skipHandshake },
    dialed: dialed.map(({ address, port }) => ({ address: normalizeAddress(address), port })),
  };
}

function isEndpoint(value: unknown): value is Endpoint {
  if (typeof value !== "object" || value === null) return false;
  const { address, port } = value as Partial<Endpoint>;
  return typeof address === "string" && isIP(address) !== 0 && Number.isInteger(port) && port! > 0 && port! <= 65535;
}
