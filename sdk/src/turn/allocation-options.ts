import type { Endpoint } from "../net/endpoint.ts";
import { KEEP_ALIVE_MS } from "../stun/keep-alive.ts";
import type { TurnCredentials } from "./credentials.ts";
import type { TurnError } from "./errors.ts";

/** How an allocation is kept. */
export interface TurnTiming {
  /** Asked for, in seconds; the server decides. Default: the server's own, 600. */
  lifetimeSeconds?: number | undefined;
  /** When nothing came from the server for so long, it is asked whether the allocation lives. Default 15 000 ms. */
  keepAliveMs?: number;
  /** When nothing came for so long although asked, the relay counts as lost. Default 30 000 ms, as RFC 7675's consent. */
  silenceMs?: number;
  /** How long the server keeps a permission; it is renewed at 4/5 of it. Default 300 000 ms (RFC 8656 section 9). */
  permissionLifetimeMs?: number;
  /** How long the server keeps a channel; it is renewed at half of it. Default 600 000 ms (RFC 8656 section 12). */
  channelLifetimeMs?: number;
  /** Permissions and channels that were not used for so long are not renewed. Default 300 000 ms. */
  idleMs?: number;
}

/** Options of a {@link TurnAllocation}. */
export interface TurnAllocationOptions extends TurnTiming {
  /** Where requests go, and whence alone answers and data are taken. */
  server: Endpoint;
  /** Without them only a server that asks for none will do. */
  credentials?: TurnCredentials | undefined;
  /** Over TCP or TLS: nothing is sent twice, and frames are padded. Default `false`. */
  reliable?: boolean;
  /** Of the relayed address, whatever the server's own. Default 4. */
  family?: 4 | 6;
  /** Asks the server to send without fragmentation, and does without where it cannot. Default `false`. */
  dontFragment?: boolean;
  /** Most addresses that may be permitted at once. Default 1024. */
  maxPermissions?: number;
  /** Most peers that may have a channel; others are served without. Default 1024, at most 4096. */
  maxChannels?: number;
  /** Asked before each request that the server has not answered yet, where somebody else named it: false keeps it back. */
  maySend?: ((bytes: number) => boolean) | undefined;
  /** A number in [0, 1), for jitter. */
  random?: () => number;
}

/** Where an allocation's bytes and news go. Called from inside the allocation's methods. */
export interface TurnAllocationSink {
  /** Sends a message to the server. `message` is used again after the call. */
  transmit(message: Uint8Array): boolean;
  /** A datagram from a peer; `data` is a view of what was received. */
  data(data: Buffer, address: string, port: number): void;
  /** The relayed address is there. */
  allocated(): void;
  /** There is no allocation, or none any more. The last call. */
  ended(error: TurnError): void;
  /** The server does not let us send to this address. */
  refused(address: string, error: TurnError): void;
}

export type TurnSettings = Required<
  Omit<TurnAllocationOptions, "credentials" | "lifetimeSeconds" | "maySend" | "server">
>;

/** The options with their defaults. */
export function allocationSettings(options: TurnAllocationOptions): TurnSettings {
  return {
    reliable: options.reliable ?? false,
    family: options.family ?? 4,
    dontFragment: options.dontFragment ?? false,
    keepAliveMs: options.keepAliveMs ?? KEEP_ALIVE_MS,
    silenceMs: options.silenceMs ?? 30_000,
    permissionLifetimeMs: options.permissionLifetimeMs ?? 300_000,
    channelLifetimeMs: options.channelLifetimeMs ?? 600_000,
    idleMs: options.idleMs ?? 300_000,
    maxPermissions: options.maxPermissions ?? 1024,
    maxChannels: Math.min(options.maxChannels ?? 1024, 4096),
    random: options.random ?? Math.random,
  };
}
