import type { IncomingMessage } from "node:http";
import { addressFamily } from "../../../net/address.ts";
import { type Endpoint, normalizeAddress } from "../../../net/endpoint.ts";
import { readProtocol } from "../../../session/versions.ts";
import { type ConnectRequest, MAX_DIALED } from "../../wire/connect-request.ts";
import type { Seat } from "../../wire/seat.ts";
import { isUpgradeKey } from "../../wire/websocket-control.ts";

export interface ParsedConnectRequest {
  /** What the client speaks. */
  protocol: number;
  seat: Seat;
  dialed: Endpoint[];
}

/** True behind any prefix too: a proxy may hand the path on whole. */
export function asksFor(path: string, request: IncomingMessage): boolean {
  return (request.url ?? "").split("?", 1)[0]?.endsWith(path) ?? false;
}

/** @returns null when it is larger than `maxBytes`, or was cut short. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > maxBytes) return null;
      chunks.push(chunk);
    }
  } catch {
    return null;
  }
  return Buffer.concat(chunks);
}

/** @returns null for anything that is no object in JSON. */
export function parseObject(body: Uint8Array): object | null {
  try {
    const json: unknown = JSON.parse(Buffer.from(body).toString("utf8"));
    return typeof json === "object" ? json : null;
  } catch {
    return null;
  }
}

/** @returns null for anything that is no well-formed request. */
export function parseConnectRequest(json: object | null): ParsedConnectRequest | null {
  if (json === null) return null;
  const {
    roomId,
    sessionId,
    reconnectionToken = "",
    skipHandshake = false,
    dialed = [],
    upgrade,
  } = json as ConnectRequest;
  if (typeof roomId !== "string" || typeof sessionId !== "string" || typeof reconnectionToken !== "string") return null;
  if (roomId === "" || sessionId === "" || typeof skipHandshake !== "boolean") return null;
  if (upgrade !== undefined && (!isUpgradeKey(upgrade) || reconnectionToken !== "")) return null;
  const protocol = readProtocol((json as ConnectRequest).protocol);
  if (protocol === null) return null;
  if (!Array.isArray(dialed) || dialed.length > MAX_DIALED || !dialed.every(isEndpoint)) return null;
  return {
    protocol,
    seat: { roomId, sessionId, reconnectionToken, skipHandshake, ...(upgrade === undefined ? {} : { upgrade }) },
    dialed: dialed.map(({ address, port }) => ({ address: normalizeAddress(address), port })),
  };
}

function isEndpoint(value: unknown): value is Endpoint {
  if (typeof value !== "object" || value === null) return false;
  const { address, port } = value as Partial<Endpoint>;
  return (
    typeof address === "string" && addressFamily(address) !== 0 && Number.isInteger(port) && port! > 0 && port! <= 65535
  );
}
