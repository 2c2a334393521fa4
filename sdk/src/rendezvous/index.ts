/** Invites: a lobby brings hosts and players together. */
export { RendezvousError, type RendezvousErrorCode } from "./errors.ts";
export { type IntroduceOptions, introduce } from "./introduce.ts";
export type { Introduction, IntroductionClosed } from "./introduction.ts";
export { type Invite, inviteUrl, parseInvite, parseInviteCode } from "./invite.ts";
export { isLocalLobby } from "./local-lobby.ts";
export {
  type GameListing,
  type GameSummary,
  type HostDetails,
  type HostMessage,
  RENDEZVOUS_ROOM,
} from "./protocol.ts";
export type { RendezvousLimits } from "./quota.ts";
export { firstReachable, type ReachOptions } from "./reach.ts";
export { MAX_MESSAGE_BYTES as MAX_INTRODUCTION_MESSAGE_BYTES } from "./records.ts";
export { HostRegistration, type HostRegistrationOptions, type RegistrationDetails } from "./registration.ts";
export { type ResolvedInvite, type ResolveOptions, resolveInvite } from "./resolve.ts";
export { defineRendezvous, type RendezvousOptions, RendezvousRoom } from "./room.ts";
export type { ServersOptions, TraversalServers, TurnAccess, TurnOptions } from "./servers.ts";
