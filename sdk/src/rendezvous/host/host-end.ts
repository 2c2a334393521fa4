/** How a host is found by its invite: at a lobby (lobby-end.ts) or through relays (relay-end.ts). */
import type { SealedIntroduction } from "../sealed/introduction.ts";
import type { RendezvousError } from "../wire/errors.ts";
import type { Invite } from "../wire/invite.ts";
import type { HostDetails, IntroducedDetails } from "../wire/protocol.ts";
import type { TraversalServers } from "../wire/servers.ts";

export interface HostEndEvents {
  /** What players are told. */
  details: () => IntroducedDetails;
  servers: () => TraversalServers;
  onRegistered: (invite: Invite) => void;
  onServers: (servers: TraversalServers) => void;
  /** False if nobody wants it. */
  onIntroduction: (introduction: SealedIntroduction) => boolean;
  /** A player speaks another version, and cannot be introduced. */
  onOutdated: (protocol: number, sentence: string) => void;
  /** Once; not after leave(). */
  onClosed: (error: RendezvousError) => void;
}

export interface HostEnd {
  readonly isOpen: boolean;
  /** Called at once after it was opened, before anything is awaited. */
  start(events: HostEndEvents): void;
  update(details: Partial<HostDetails>): void;
  /** The page of the link is another one. */
  changePage(): void;
  /** Tells all who are being introduced, sealed. */
  closeIntroductions(reason: string): void;
  loseIntroductions(reason: string): void;
  /** Waits at most a second. */
  leave(): Promise<void>;
}
