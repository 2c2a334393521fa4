/** Opens paths for introduced guests, and hands their requests on. */
import { newIceCredentials } from "../../ice/credentials.ts";
import { type IceMux } from "../../ice/mux.ts";
import { type IcePeer } from "../../ice/peer.ts";
import { type NatView } from "../../ice/port-prediction.ts";
import { onLocalNetwork, sharesAttestedNetwork, sharesNetwork } from "../../ice/remote-policy.ts";
import { messageOf } from "../../net/message-of.ts";
import { traceOf } from "../../net/trace.ts";
import { UnprovenAddress } from "../../net/unproven-address.ts";
import type { SessionServer } from "../../session/types.ts";
import { Guessing } from "../guessing.ts";
import type { Introduction } from "../sealed/introduction.ts";
import { sendInviteTunnelMessage, trickle } from "../trickle.ts";
import { type PathMessage, parseInviteTunnelMessage, type RelayMessage } from "../wire/invite-tunnel.ts";
import type { RequestMessage } from "../wire/invite-tunnel-http.ts";

const trace = traceOf("rendezvous");

/** What one introduced guest may ask for: so many paths, of which so many lead nowhere yet. */
const MAX_PATHS = 8;
const SEARCHING_AT_ONCE = 2;
const MAX_REQUESTS = 64;
const MAX_OFFERS = 4;

export interface IntroducedPathsOptions {
  sessions: SessionServer;
  ice: IceMux;
  /** How our NAT behaves, once that is known. */
  nat: () => NatView | undefined;
  /** The lobby is on this machine or this network, and so are the guests that it brings. */
  isLocal: boolean;
  /** The lobby, who sees both, has said that guest and host have one public address. Default false. */
  attested?: boolean;
  /** Our addresses stay hidden: the way is not made direct by guessing ports. Default false. */
  relayOnly?: boolean;
  /** A relay that the guest brings along, with the bytes that it took to say so; at most 4 of one guest. Default: none is taken. */
  onRelay?: ((message: RelayMessage, bytes: number) => void) | undefined;
  /** At most 64 of one guest. */
  onRequest: (request: RequestMessage) => void;
}

/** Opens paths for an introduced guest's sessions, until the introduction ends. */
export function serveIntroducedPaths(
  introduction: Introduction,
  { sessions, ice, nat, isLocal, attested = false, relayOnly = false, onRelay, onRequest }: IntroducedPathsOptions,
): void {
  const paths = new Map<number, { peer: IcePeer; guessing: Guessing | undefined }>();
  const budget = ice.budget.introduction(new UnprovenAddress());
  let opened = 0;
  let requests = 0;
  let offers = 0;
  introduction.onMessage((bytes) => {
    budget.heard(bytes.length);
    const message = parseInviteTunnelMessage(bytes);
    switch (message?.type) {
      case "path":
        if (opened >= MAX_PATHS || paths.has(message.id)) return;
        try {
          opened++;
          makeRoom();
          openPath(message);
        } catch (error) {
          if (trace.on) trace.event("path-refused", { id: message.id });
          // As many peers as ICE takes: this player has to wait, and nobody else shall suffer.
          introduction.close(messageOf(error));
        }
        return;
      case "candidates":
        for (const candidate of message.candidates) paths.get(message.id)?.peer.addRemoteCandidate(candidate);
        paths.get(message.id)?.guessing?.receive(message);
        return;
      case "nat":
      case "guess":
        paths.get(message.id)?.guessing?.receive(message);
        return;
      case "relay":
        if (++offers <= MAX_OFFERS) onRelay?.(message, bytes.length);
        return;
      case "request":
        if (++requests <= MAX_REQUESTS) onRequest(message);
        return;
      case "response":
      case undefined:
        introduction.close("That is no message of a player.");
    }
  });

  /** A player that tries again has given up what leads nowhere yet; it need not say so. */
  function makeRoom(): void {
    const searching = [...paths.values()].filter(({ peer }) => peer.path === null);
    if (searching.length >= SEARCHING_AT_ONCE) searching[0]?.peer.close();
  }

  function openPath(message: PathMessage): void {
    const { id, ice: remote, candidates } = message;
    const allowRemote = isLocal ? onLocalNetwork : attested ? sharesAttestedNetwork : sharesNetwork;
    const peer = ice.open({ role: "controlled", local: newIceCredentials(), remote, allowRemote, budget });
    if (trace.on) trace.event("path-opened", { id, remoteCandidates: candidates.length, isLocal });
    for (const candidate of candidates) peer.addRemoteCandidate(candidate);
    const told = [...peer.localCandidates];
    sendInviteTunnelMessage(introduction, { type: "path", id, ice: peer.localCredentials, candidates: told });
    trickle(introduction, id, peer, told);
    const guessing = relayOnly ? undefined : new Guessing({ introduction, id, mux: ice, peer, leads: false, nat });
    guessing?.receive(message);
    paths.set(id, { peer, guessing });
    peer.onceClosed(() => paths.delete(id));
    sessions.addPath?.(peer);
  }
}
