/**
 * Which run of a server answers. A session ends with the process that holds it, and a process that was killed says no goodbye; a
 * client that hears nothing asks here, over TCP, whether the server is still the same.
 *
 *     GET /sallyport/instance      200 { "instance": "…" }: at most 64 characters, others in each run of the server
 *
 * The same `instance` stands in the replies that open sessions. Nothing that comes over UDP says that a server is another, since
 * anybody could send that: see RFC 9000 section 10.3 for what it takes.
 */
export const INSTANCE_PATH = "/sallyport/instance";
const MAX_CHARACTERS = 64;

/** @returns undefined for what is none */
export function readInstance(reply: { instance?: unknown }): string | undefined {
  const { instance } = reply;
  return typeof instance === "string" && instance !== "" && instance.length <= MAX_CHARACTERS ? instance : undefined;
}
