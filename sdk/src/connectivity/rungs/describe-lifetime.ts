import type { NatLifetime } from "../../nat/lifetime.ts";
import { keepAliveFor } from "../../stun/keep-alive.ts";

/** In words that the person who hosts understands. */
export function describeLifetime({ outcome, seconds, goneAfterSeconds }: NatLifetime): string {
  const pauseMs = keepAliveFor(seconds);
  const pause = `Sallyport sends a packet every ${Math.floor(pauseMs / 1000)} s where friends depend on it`;
  if (outcome === "no-nat") return "No NAT stands before this machine, so that nothing is forgotten.";
  if (outcome === "untold") {
    return `How long your router remembers a silent connection cannot be told with this STUN server: it answers to no other port (RFC 5780), and your router gives the same port again. ${pause}.`;
  }
  if (seconds === null) {
    return `How long your router remembers a silent connection is not known: the STUN server does not answer (any more). ${pause}.`;
  }
  const memory =
    goneAfterSeconds === null
      ? `Your router remembers a silent connection for ${rounded(seconds)} s and longer`
      : `Your router forgets a silent connection after ${span(seconds, goneAfterSeconds)} s`;
  if (pauseMs < seconds * 1000) return `${memory}; ${pause}, so that is fine.`;
  return `${memory}, which is too short to be kept alive: let the router forward the port (UPnP, or by hand), or raise its UDP timeout.`;
}

function span(survived: number, gone: number): string {
  if (gone - survived <= survived / 3) return `about ${rounded((survived + gone) / 2)}`;
  return `${rounded(survived)} to ${rounded(gone)}`;
}

const rounded = (seconds: number): number => (seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds));
