/**
 * A mailbox is where a host and a guest, who cannot reach each other yet, leave messages for each other: a lobby (lobby.ts), or public
 * relays (pool.ts), each a Nostr relay or an MQTT broker behind wire/relay.ts. All of them see sealed bytes only.
 *
 * This is a lobby's side. A lobby does two things that relays do not:
 *
 * - It delivers each message once and in order. A relay repeats, drops and swaps, and strangers can write to it.
 * - It knows its hosts: `host` names the host's key before the guest's first message, and `end` says why something fails.
 *
 * A lobby's handshake (guest/approach.ts) and records (sealed/records.ts) rely on both. Relays have a handshake of their own
 * (guest/relay-approach.ts), and carry records in parcels (sealed/parcel.ts).
 */
import type { RendezvousError } from "../wire/errors.ts";
import type { EndReason, HostDetails, HostMessage } from "../wire/protocol.ts";
import type { TraversalServers } from "../wire/servers.ts";

export interface Mailbox {
  /**
   * One attempt to take the host's place under its code.
   * @throws RendezvousError `refused` and `invalid` for good; otherwise another attempt may succeed
   */
  openHost(host: MailboxHost, options: OpenMailboxOptions): Promise<HostMailbox>;
  /**
   * One attempt to find the host that has this code.
   * @param code `K7Q2-9FXM`: never the link's seal, which no mailbox may see
   * @throws RendezvousError `unknown-invite` where the mailbox knows its hosts
   */
  openGuest(code: string, options: OpenMailboxOptions): Promise<GuestMailbox>;
}

export interface OpenMailboxOptions {
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

/** What a mailbox learns of a host: neither its secret, nor its private key, nor the link's seal. */
export interface MailboxHost {
  /** `K7Q2-9FXM` */
  code: string;
  /** Proves that the code is this host's: see sealed/secret.ts. */
  proof: string;
  /** 32 bytes. */
  publicKey: Uint8Array;
  details: HostDetails;
}

/** What both ends have in common. */
interface MailboxEnd<Mail> {
  readonly isOpen: boolean;
  /** One listener, never called from within `send`. Set it at once, before anything is awaited: what comes earlier is lost. */
  onMessage(listener: (mail: Mail) => void): void;
  /** One listener, called once when the mailbox ends it, and not after {@link close}. */
  onClosed(listener: (error: RendezvousError) => void): void;
  /** What has been sent still leaves. */
  close(): void;
}

/** A host's end. The mailbox gives each guest a number. */
export interface HostMailbox extends MailboxEnd<HostMail> {
  /** What has changed, for mailboxes that show it to somebody. */
  update(details: Partial<HostDetails>): void;
  /** Up to MAX_RECORD_BYTES, sealed. */
  send(id: number, data: Uint8Array): void;
  /** Forgets a guest. The reason is for mailboxes that can name it without giving the host away. */
  end(id: number, reason: EndReason): void;
  /** Gives the host's place back, then closes. Waits at most a second for the mailbox. */
  leave(): Promise<void>;
}

/** A guest's end. */
export interface GuestMailbox extends MailboxEnd<GuestMail> {
  /** The first message to the host; again, to begin anew. */
  introduce(hello: Uint8Array): void;
  /** Up to MAX_RECORD_BYTES, sealed. */
  send(data: Uint8Array): void;
}

/**
 * What comes to a host:
 * - `registered`: the place is taken; `url` is what guests know the mailbox by, where it says so.
 * - `servers`: STUN and TURN servers that the mailbox offers.
 * - `introduction`: a guest's first message; `attested` where the mailbox sees guest and host at one public address. `relay`: one that
 *   follows. `end`: the guest has gone.
 *
 * Bytes are at most MAX_RECORD_BYTES long, and empty where they were none.
 */
export type HostMail =
  | { type: "registered"; url: string | undefined }
  | { type: "servers"; servers: TraversalServers }
  | { type: "introduction"; id: number; hello: Uint8Array; attested?: true }
  | { type: "relay"; id: number; data: Uint8Array }
  | { type: "end"; id: number };

/** What comes to a guest: `host` tells of the host, at once and at each change; `attested` as above. */
export type GuestMail =
  | { type: "host"; host: HostMessage }
  | { type: "servers"; servers: TraversalServers }
  | { type: "attested" }
  | { type: "relay"; data: Uint8Array }
  | { type: "end"; reason: EndReason };
