import { RendezvousError } from "../wire/errors.ts";

/** @throws RendezvousError `no-relay` where addresses are to stay hidden, and there is no TURN server */
export function needRelay(count: number): void {
  if (count > 0) return;
  throw new RendezvousError(
    "no-relay",
    "Your address is to stay hidden (relayOnly), and no TURN server is known: join by a lobby that has one, or name one (turnServers).",
  );
}
