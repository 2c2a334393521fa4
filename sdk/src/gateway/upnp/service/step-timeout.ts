/**
 * Milliseconds that a router may take for one answer, from connecting to the last byte: some rewrite their firewall before they
 * answer, and small processors take seconds for that.
 */
export const STEP_TIMEOUT_MS = 10_000;
