/**
 * Invites: a lobby or public relays bring hosts and players together. It can be loaded without Colyseus; a lobby's
 * URL needs `@colyseus/sdk`. The lobby's own room is in `sallyport/colyseus`.
 *
 * @module sallyport/rendezvous
 */

export { firstReachable, type ReachOptions } from "../colyseus/client/reach.ts";
export { type InviteEnvironmentOptions, invitesFromEnvironment } from "../rendezvous/environment.ts";
export type { IntroduceOptions } from "../rendezvous/guest/introduce.ts";
export { introduceInNode as introduce } from "../rendezvous/guest/introduce-node.ts";
export { type ResolvedInvite, type ResolveOptions, resolveInvite } from "../rendezvous/guest/resolve.ts";
export {
  HostRegistration,
  type HostRegistrationOptions,
  type RegistrationDetails,
} from "../rendezvous/host/registration.ts";
export { DEFAULT_RELAYS, DEFAULT_STUN_SERVERS } from "../rendezvous/mailbox/relay-list.ts";
export type { Introduction, IntroductionClosed } from "../rendezvous/sealed/introduction.ts";
export { MAX_MESSAGE_BYTES as MAX_INTRODUCTION_MESSAGE_BYTES } from "../rendezvous/sealed/records.ts";
export { RendezvousError, type RendezvousErrorCode } from "../rendezvous/wire/errors.ts";
export { type Invite, inviteUrl, type ParsedInvite, parseInvite, parseInviteCode } from "../rendezvous/wire/invite.ts";
export {
  type InviteMistake,
  type InviteMistakeCode,
  inviteMistake,
  type JoinTarget,
  parseJoinTarget,
} from "../rendezvous/wire/join-target.ts";
export { isLocalLobby } from "../rendezvous/wire/local-lobby.ts";
export {
  type GameListing,
  type GameSummary,
  type HostDetails,
  type HostMessage,
  RENDEZVOUS_ROOM,
} from "../rendezvous/wire/protocol.ts";
export type { ServersOptions, TraversalServers, TurnAccess, TurnOptions } from "../rendezvous/wire/servers.ts";
