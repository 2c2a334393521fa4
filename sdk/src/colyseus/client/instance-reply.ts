import { INSTANCE_PATH, readInstance } from "../wire/instance.ts";
import { serverURL } from "./seat-request.ts";

/** @throws Error for an answer that names none: a proxy's, say */
export function instanceIn(status: number, reply: unknown): string {
  const instance = status === 200 && typeof reply === "object" && reply !== null ? readInstance(reply) : undefined;
  if (instance === undefined) throw new Error(`the server names no run of itself: HTTP status ${status}`);
  return instance;
}

/** Asks which run of the server answers, by way of something like `fetch`. Nothing here is Node's. */
export function askInstanceThrough(
  fetch: typeof globalThis.fetch,
): (roomURL: URL, signal: AbortSignal) => Promise<string> {
  return async (roomURL: URL, signal: AbortSignal): Promise<string> => {
    const response = await fetch(serverURL(roomURL, INSTANCE_PATH), { signal, cache: "no-store" });
    return instanceIn(response.status, await response.json());
  };
}
