/** What the system says when it has no more of something: descriptors (for the process, for all), buffers, memory. */
const CODES: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"]);

/** Whether the system lacked something for the moment: nothing is wrong with what was asked, and the next time may go well. */
export function isExhausted(error: unknown): boolean {
  const code: unknown = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" && CODES.has(code);
}
