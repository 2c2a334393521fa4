/**
 * Shares the UDP and TCP ports of any program by an invite, and joins them. It can be loaded without Colyseus.
 *
 * @module sallyport/tunnel
 */

export type { Reachability } from "../connectivity/reachability.ts";
export { RendezvousError, type RendezvousErrorCode } from "../rendezvous/wire/errors.ts";
export type { Invite } from "../rendezvous/wire/invite.ts";
export type { SessionPathKind } from "../session/path.ts";
export type { Listener } from "../tunnel/guest/listeners.ts";
export { type Join, type JoinEvents, type JoinOptions, type JoinStatus, join } from "../tunnel/join.ts";
export {
  type GuestInfo,
  type GuestStatus,
  type Share,
  type ShareEvents,
  type ShareOptions,
  share,
} from "../tunnel/share.ts";
export { type SharedPort, type TransportProtocol, type TunnelPort } from "../tunnel/wire/ports.ts";
