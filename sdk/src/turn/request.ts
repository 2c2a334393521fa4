import { StunBuilder } from "../stun/builder.ts";
import { StunAttribute as A, StunMethod } from "../stun/constants.ts";
import type { TurnPeer, TurnPermission } from "./peers.ts";

/** What is asked of the server. */
export type TurnAsk =
  /** `afterRelease`: an old allocation of this socket was given back for it. */
  | { readonly kind: "allocate"; readonly afterRelease?: boolean }
  | { readonly kind: "refresh" }
  /** `retryAllocation`: it clears the way for a new one. */
  | { readonly kind: "release"; readonly retryAllocation?: boolean }
  | { readonly kind: "permission"; readonly permission: TurnPermission }
  | { readonly kind: "channel"; readonly peer: TurnPeer };

/** A request in flight. */
export interface TurnRequest {
  readonly ask: TurnAsk;
  /** Whether it carries credentials. */
  readonly signed: boolean;
  /** How many 401 and 438 it had before. */
  readonly challenges: number;
}

export interface TurnRequestSettings {
  family: 4 | 6;
  lifetimeSeconds: number | undefined;
  dontFragment: boolean;
}

/** RFC 8656 section 18.7: UDP's protocol number in the first byte. */
const TRANSPORT_UDP = 17 << 24;
/** RFC 8656 section 18.8: the family in the first byte. */
const FAMILY_IPV6 = 0x02 << 24;

/** The request without what authenticates it. */
export function buildRequest(ask: TurnAsk, settings: TurnRequestSettings): StunBuilder {
  const { lifetimeSeconds } = settings;
  switch (ask.kind) {
    case "allocate": {
      const builder = new StunBuilder(StunMethod.ALLOCATE, "request").uint32(A.REQUESTED_TRANSPORT, TRANSPORT_UDP);
      if (settings.family === 6) builder.uint32(A.REQUESTED_ADDRESS_FAMILY, FAMILY_IPV6);
      if (lifetimeSeconds !== undefined) builder.uint32(A.LIFETIME, lifetimeSeconds);
      if (settings.dontFragment) builder.flag(A.DONT_FRAGMENT);
      return builder;
    }
    case "refresh": {
      const builder = new StunBuilder(StunMethod.REFRESH, "request");
      return lifetimeSeconds === undefined ? builder : builder.uint32(A.LIFETIME, lifetimeSeconds);
    }
    case "release":
      return new StunBuilder(StunMethod.REFRESH, "request").uint32(A.LIFETIME, 0);
    case "permission": {
      const { address } = ask.permission;
      // The port is ignored there (RFC 8656 section 10.1).
      return new StunBuilder(StunMethod.CREATE_PERMISSION, "request").xorAddress(A.XOR_PEER_ADDRESS, {
        address,
        port: 0,
      });
    }
    case "channel":
      break;
  }
  const { address, port, channel } = ask.peer;
  return new StunBuilder(StunMethod.CHANNEL_BIND, "request")
    .uint32(A.CHANNEL_NUMBER, channel * 0x10000)
    .xorAddress(A.XOR_PEER_ADDRESS, { address, port });
}
