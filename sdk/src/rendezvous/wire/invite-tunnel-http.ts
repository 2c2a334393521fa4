/** HTTP through an invite tunnel: see invite-tunnel.ts. Nothing here is Node's. */
/**
 * Version of what host and invited player say through an introduction, which both name, sealed: the host beside its details, the
 * player when it is ready. Who names none speaks 1.
 */
export const INVITE_TUNNEL_PROTOCOL = 1;

export interface RequestMessage {
  type: "request";
  id: number;
  method: (typeof METHODS)[number];
  /** Begins with `/`. */
  path: string;
  headers: Record<string, string>;
  body: string;
}

export interface ResponseMessage {
  type: "response";
  id: number;
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** All that matchmaking, tokens and authentication take. */
const METHODS = ["GET", "POST"] as const;
const MAX_HEADERS = 16;
const MAX_HEADER_LENGTH = 4096;
const MAX_PATH_LENGTH = 1024;

const decoder = new TextDecoder();

/** Any message, as far as all are alike; null for what is none. */
export function parseInviteTunnelObject(bytes: Uint8Array): (Record<string, unknown> & { id: number }) | null {
  const value = parseObject(bytes);
  const id = value?.["id"];
  return Number.isSafeInteger(id) && (id as number) >= 0 ? (value as Record<string, unknown> & { id: number }) : null;
}

function parseObject(bytes: Uint8Array): Record<string, unknown> | null {
  try {
    const value = JSON.parse(decoder.decode(bytes)) as unknown;
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

/** Null for anything else than a request or a response. */
export function parseHTTPMessage(
  value: Record<string, unknown> & { id: number },
): RequestMessage | ResponseMessage | null {
  if (value["type"] === "request") return parseRequest(value, value.id);
  return value["type"] === "response" ? parseResponse(value, value.id) : null;
}

function parseRequest({ method, path, headers, body }: Record<string, unknown>, id: number): RequestMessage | null {
  const known = METHODS.find((each) => each === method);
  const parsed = parseHeaders(headers);
  if (!known || !parsed || typeof body !== "string") return null;
  if (typeof path !== "string" || path.length > MAX_PATH_LENGTH || !/^\/[!-~]*$/.test(path)) return null;
  return { type: "request", id, method: known, path, headers: parsed, body };
}

function parseResponse({ status, headers, body }: Record<string, unknown>, id: number): ResponseMessage | null {
  const parsed = parseHeaders(headers);
  if (!parsed || typeof body !== "string") return null;
  if (!Number.isInteger(status) || (status as number) < 200 || (status as number) > 599) return null;
  return { type: "response", id, status: status as number, headers: parsed, body };
}

function parseHeaders(value: unknown): Record<string, string> | null {
  if (typeof value !== "object" || value === null) return null;
  const entries = Object.entries(value);
  if (entries.length > MAX_HEADERS) return null;
  const valid = entries.every(
    ([name, text]) =>
      /^[a-z0-9-]{1,64}$/.test(name) &&
      typeof text === "string" &&
      text.length <= MAX_HEADER_LENGTH &&
      /^[\t -~]*$/.test(text),
  );
  return valid ? (Object.fromEntries(entries) as Record<string, string>) : null;
}
