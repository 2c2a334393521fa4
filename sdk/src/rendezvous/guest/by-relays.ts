/** From an invite of `public` to a sealed conversation with its host. */
import { type Clock, systemClock } from "../../net/clock.ts";
import { rankRelays } from "../mailbox/ranking.ts";
import { DEFAULT_RELAYS, DEFAULT_STUN_SERVERS } from "../mailbox/relay-list.ts";
import type { OpenRelaySocket } from "../mailbox/socket.ts";
import { keysOfCode, keysOfPass, rankOf } from "../mailbox/topics.ts";
import { hasFingerprint } from "../sealed/seal.ts";
import { RendezvousError } from "../wire/errors.ts";
import type { ParsedInvite } from "../wire/invite.ts";
import { checkRelays } from "../wire/relay-url.ts";
import { parseSeal } from "../wire/seal-text.ts";
import { checkServersOptions } from "../wire/servers.ts";
import { CodeHashes } from "./code-hashes.ts";
import { RelayApproach } from "./relay-approach.ts";
import type { ResolveOptions } from "./resolve.ts";

export interface ByRelaysOptions extends Pick<ResolveOptions, "relays" | "stunServers"> {
  /** Messages that go along with the hello, for a join of two messages. Asked when the first relay is there. */
  opening?: (() => readonly Uint8Array[]) | undefined;
  /** Of this invite, from earlier introductions. Default: none. */
  hashes?: CodeHashes | undefined;
  clock?: Clock;
}

/** How this side reaches relays. */
export interface RelaySockets {
  open: OpenRelaySocket;
  /** Whether `mqtt://` can be dialed. */
  canStream: boolean;
}

/** Needs noise to be ready. @throws RendezvousError `invalid` */
export async function approachByRelays(
  { code, seal: sealText, hint }: ParsedInvite,
  {
    relays,
    stunServers = DEFAULT_STUN_SERVERS,
    opening = () => [],
    hashes = new CodeHashes(),
    clock = systemClock,
  }: ByRelaysOptions,
  sockets: RelaySockets,
): Promise<RelayApproach> {
  checkServersOptions({ stun: stunServers });
  const known = checkRelays(relays ?? DEFAULT_RELAYS);
  const seal = sealText === undefined ? undefined : parseSeal(sealText);
  // A whole link has it all; a code first takes its slow hash.
  const secret = seal === undefined || hint === undefined ? await hashes.secretOf(code) : undefined;
  const rank = secret === undefined ? hint?.rank : rankOf(secret);
  const keys = seal !== undefined ? keysOfPass(seal.pass) : secret && keysOfCode(secret);
  if (keys === undefined || rank === undefined) throw new RendezvousError("invalid-invite", "That is no invite.");
  const named = rankRelays(rank, hint?.relays ?? [], sockets.canStream);
  const ranked = [...new Set([...named, ...rankRelays(rank, known, sockets.canStream)])];
  if (ranked.length === 0) throw new RendezvousError("invalid", "None of the relays can be reached from a page.");
  return new RelayApproach({
    code,
    keys,
    relays: ranked,
    named: named.length,
    servers: { stun: [...stunServers], turn: [] },
    isHost: (key) => (seal === undefined ? hashes.codeOf(key).then((its) => its === code) : hasFingerprint(key, seal)),
    opening,
    openSocket: sockets.open,
    clock,
    random: (bytes) => globalThis.crypto.getRandomValues(new Uint8Array(bytes)),
  });
}
