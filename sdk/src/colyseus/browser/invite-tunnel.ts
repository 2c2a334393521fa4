import type { IntroduceOptions } from "../../rendezvous/guest/introduce.ts";
import { Introductions } from "../../rendezvous/guest/introductions.ts";
import { InviteTunnelRequests } from "../../rendezvous/guest/invite-tunnel-requests.ts";
import { parseHTTPMessage, parseInviteTunnelObject } from "../../rendezvous/wire/invite-tunnel-http.ts";
import type { HostDetails } from "../../rendezvous/wire/protocol.ts";

export interface BrowserInviteTunnel {
  /** As `fetch`, to the host, through the lobby. */
  fetch: typeof globalThis.fetch;
  /** The URLs under which the host may be dialed, if it told any, and what it says of itself. */
  details: HostDetails;
  /** The lobby's. */
  iceServers: RTCIceServer[];
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
  const { details, servers } = await introductions.get();
  const stun = servers.stun.length > 0 ? [{ urls: [...servers.stun] }] : [];
  const turn = servers.turn.map(({ urls, username, credential }) => ({ urls: [...urls], username, credential }));
  return { fetch: requests.fetch, details, iceServers: [...stun, ...turn] };
}
