/** Invites: a lobby brings hosts and players together. */
export { RendezvousError, type RendezvousErrorCode } from "./errors.ts";
export { type Invite, inviteUrl, parseInvite, parseInviteCode } from "./invite.ts";
export {
  type GameListing,
  type GameSummary,
  type HostDetails,
  type HostMessage,
  RENDEZVOUS_ROOM,
} from "./protocol.ts";
export { firstReachable, type ReachOptions } from "./reach.ts";
export { HostRegistration, type HostRegistrationOptions } from "./registration.ts";
export { type ResolvedInvite, type ResolveOptions, resolveInvite } from "./resolve.ts";
export { defineRendezvous, type RendezvousLimits, type RendezvousOptions, RendezvousRoom } from "./room.ts";
