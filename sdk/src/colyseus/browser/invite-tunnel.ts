import type { IntroduceOptions } from "../../rendezvous/guest/introduce.ts";
import { Introductions } from "../../rendezvous/guest/introductions.ts";
import { InviteTunnelRequests } from "../../rendezvous/guest/invite-tunnel-requests.ts";
import { parseHTTPMessage, parseInviteTunnelObject } from "../../rendezvous/wire/invite-tunnel-http.ts";
import type { HostDetails } from "../../rendezvous/wire/protocol.ts";
import type { TurnAccess } from "../../rendezvous/wire/servers.ts";

export interface BrowserInviteTunnel {
  /** As `fetch`, to the host, through the lobby. */
  fetch: typeof globalThis.fetch;
  /** The URLs under which the host may be dialed, if it told any, and what it says of itself. */
  details: HostDetails;
  /** The lobby's. */
  iceServers: RTCIceServer[];
  /** Those of players who relay for others, and who see the address of whoever asks them. */
  playerServers: RTCIceServer[];
}

/**
 * An invited player's way to a host from a page: whatever is asked of the host, WebRTC's offer too, goes through an introduction.
 * @throws RendezvousError as `introduce`
 */
export async function openInviteTunnel(invite: string, options: IntroduceOptions): Promise<BrowserInviteTunnel> {
  const introductions = new Introductions(invite, options);
  const requests = new InviteTunnelRequests(() => introductions.get());
  introductions.onMessage = (bytes) => {
    const value = parseInviteTunnelObject(bytes);
    const message = value && parseHTTPMessage(value);
    if (message?.type === "response") requests.receive(message);
  };
  const { details, servers, playerRelays } = await introductions.get();
  const stun = servers.stun.length > 0 ? [{ urls: [...servers.stun] }] : [];
  const iceServers = [...stun, ...servers.turn.map(iceServerOf)];
  return { fetch: requests.fetch, details, iceServers, playerServers: playerRelays.map(iceServerOf) };
}

function iceServerOf({ urls, username, credential }: TurnAccess): RTCIceServer {
  return { urls: [...urls], username, credential };
}
