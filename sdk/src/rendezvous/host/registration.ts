/** The host's side: keeps a hosted game known to a lobby, under one invite. */

import { EventEmitter } from "node:events";
import { traceOf } from "../../net/trace.ts";
import { sleep } from "../../net/wait.ts";
import { VersionNotices } from "../../session/versions.ts";
import { parseLobbyUrl } from "../mailbox/lobby-url.ts";
import { DEFAULT_RELAYS, DEFAULT_STUN_SERVERS } from "../mailbox/relay-list.ts";
import { openNodeSocket } from "../mailbox/socket-node.ts";
import type { Introduction } from "../sealed/introduction.ts";
import { publicIdentityOf } from "../sealed/public-identity.ts";
import { createHostSecret, hostIdentityOf, isHostSecret } from "../sealed/secret.ts";
import { RendezvousError, type RendezvousErrorCode, traceableFailure } from "../wire/errors.ts";
import { type Invite, PUBLIC_LOBBY } from "../wire/invite.ts";
import {
  type HostDetails,
  type IntroducedDetails,
  MAX_ENDPOINTS,
  parseHostDetails,
  parseHostUpdate,
} from "../wire/protocol.ts";
import { checkRelays } from "../wire/relay-url.ts";
import { checkServersOptions, type TraversalServers } from "../wire/servers.ts";
import type { HostEnd } from "./host-end.ts";
import { openLobbyEnd } from "./lobby-end.ts";
import { openRelayEnd } from "./relay-end.ts";
import { keepSecret, keptSecret } from "./secret-file.ts";

const trace = traceOf("rendezvous");

/** What a host says of itself. */
export interface RegistrationDetails extends HostDetails {
  /** Told to players in introductions, before `endpoints`; the lobby never sees them. Up to 32 URLs. */
  sealedEndpoints: string[];
  /** With `public`: the URL of a page that takes an invite behind its `#`, for the link. Default: none. */
  page: string | undefined;
}

/** Without `endpoints`, the lobby has no address of the host to show, and players come by introductions only. */
export interface HostRegistrationOptions extends Partial<RegistrationDetails> {
  /**
   * The lobby's URL; or `public`: public relays, which see nothing but sealed bytes, and the public addresses of whoever connects to them.
   */
  lobby: string;
  /** What strangers see in the lobby's list, and guests of `public`. */
  name: string;
  /** From an earlier {@link HostRegistration.secret}: the invite and its link stay the same. Default: a new one. */
  secret?: string;
  /**
   * A file that keeps the secret, for its owner alone: the invite stays the same over restarts, and {@link HostRegistration.newInvite}
   * writes the new one. Without effect where `secret` is given.
   */
  secretFile?: string | undefined;
  /** Introduce only players who have the whole link, so that not even the lobby can come in. Default false. */
  linkOnly?: boolean;
  /**
   * With `public`: relays in place of the package's list. `wss://` for a Nostr relay; `wss://…/mqtt`, `mqtts://` or `mqtt://` for an MQTT
   * broker. The whole link names those that no other program can know; who has but the code must be told them.
   */
  relays?: readonly string[] | undefined;
  /** With `public`: STUN servers (`stun:HOST:PORT`, at most 8) in place of the package's list. */
  stunServers?: readonly string[] | undefined;
  /** Default `rendezvous`. */
  roomName?: string;
  /** For one attempt to reach the lobby. Default 10 000. */
  timeoutMs?: number;
  /** First and longest wait before the next attempt; each is between half of and the whole of it. Default 500, 30 000. */
  retryMs?: readonly [first: number, longest: number];
  /** How often to ask whether the lobby is still there, and how long to wait for its answer. Default 15 000. */
  heartbeatMs?: number;
}

interface Events {
  /** The lobby knows us: after the first time, again after each loss. */
  registered: [invite: Invite];
  /** The lobby is not there, or has gone; the next attempt follows by itself. */
  lost: [error: RendezvousError, retryInMs: number];
  /** No further attempts: the lobby refused for good, or another process has taken over the invite. */
  failed: [error: RendezvousError];
  /** A player has asked by invite, and has proven that it is there. Without a listener players are refused. */
  introduction: [introduction: Introduction];
  /** A player cannot be introduced, who speaks another version: told once for each, in a sentence that says what to update. */
  outdated: [sentence: string];
  /** The lobby's STUN and TURN servers: after each registration, and again before credentials expire. */
  servers: [servers: TraversalServers];
}

/** Another attempt would end alike. */
const FINAL: ReadonlySet<RendezvousErrorCode> = new Set(["refused", "invalid", "missing-package"]);
/** Updates are sent at most this often, so that a full house does not run into the lobby's limits. */
const UPDATE_MS = 250;

/** A host's registration at a lobby or at public relays: keeps it, tells its invite, and introduces guests. */
export class HostRegistration extends EventEmitter<Events> implements AsyncDisposable {
  /** Known once the lobby has been reached. */
  invite: Invite | undefined;
  /** @internal What introduced players are told of relays, sealed: credentials are minted for each. */
  relaying: (() => Pick<IntroducedDetails, "playerRelays" | "takesRelays">) | null = null;
  /** Known soon after the lobby has been reached; the last ones while it is lost. */
  servers: TraversalServers = { stun: [], turn: [] };

  readonly #options: HostRegistrationOptions;
  readonly #lobby: string;
  readonly #relays: readonly string[];
  readonly #stunServers: readonly string[];
  #page: string | undefined;
  readonly #closing = new AbortController();
  readonly #versions = new VersionNotices((sentence) => this.emit("outdated", sentence));
  readonly #secretFile: string | undefined;
  #secret: string;
  /** Of invites that were taken back while the lobby was away: it still keeps a place for them. */
  readonly #kept = new Set<string>();
  /** Ends the attempt that is under way, of a secret that is given up. */
  #attempt = new AbortController();
  #details: HostDetails;
  #sealedEndpoints: string[] = [];
  #end: HostEnd | undefined;
  #running: Promise<void> | undefined;
  #changed = new Set<keyof HostDetails>();
  #updateTimer: NodeJS.Timeout | undefined;

  /** @throws RendezvousError `invalid` */
  constructor(options: HostRegistrationOptions) {
    super();
    this.#options = options;
    this.#lobby = options.lobby === PUBLIC_LOBBY ? PUBLIC_LOBBY : parseLobbyUrl(options.lobby);
    this.#relays = checkRelays(options.relays ?? DEFAULT_RELAYS);
    this.#stunServers = options.stunServers ?? DEFAULT_STUN_SERVERS;
    checkServersOptions({ stun: this.#stunServers });
    this.#page = pageOf(options);
    this.#details = parseHostDetails(options);
    this.#sealedEndpoints = sealedEndpointsOf(options) ?? [];
    this.#secretFile = options.secret === undefined ? options.secretFile : undefined;
    this.#secret = options.secret ?? keptSecret(this.#secretFile) ?? this.#newSecret();
    if (!isHostSecret(this.#secret)) {
      throw new RendezvousError("invalid", "The secret must be one that HostRegistration.secret gave: 43 characters.");
    }
  }

  /** Whoever has it is this host. It never leaves this process; keep it to keep the invite beyond. {@link newInvite} makes another. */
  get secret(): string {
    return this.#secret;
  }

  /**
   * Begins, and answers when the lobby has given the invite. A lobby that is not there is tried again and again
   * (`lost` says so each time); `signal` ends the waiting and the registration.
   * @throws RendezvousError `refused`, `invalid`, `missing-package`, `aborted`
   */
  async open(options: { signal?: AbortSignal } = {}): Promise<Invite> {
    if (this.#closing.signal.aborted) throw new RendezvousError("aborted", "This registration has been closed.");
    const { signal } = options;
    const first = Promise.withResolvers<Invite>();
    const onAbort = (): void => {
      first.reject(new RendezvousError("aborted", "Given up by the caller.", { cause: signal?.reason }));
      void this.close();
    };
    const onClosing = (): void => first.reject(new RendezvousError("aborted", "This registration has been closed."));
    this.once("registered", first.resolve);
    this.once("failed", first.reject);
    this.#closing.signal.addEventListener("abort", onClosing);
    signal?.addEventListener("abort", onAbort);
    try {
      if (signal?.aborted === true) onAbort();
      else this.#running ??= this.#run();
      return this.invite ?? (await first.promise);
    } finally {
      this.off("registered", first.resolve);
      this.off("failed", first.reject);
      this.#closing.signal.removeEventListener("abort", onClosing);
      signal?.removeEventListener("abort", onAbort);
      first.promise.catch(() => undefined);
    }
  }

  /**
   * Takes the invite back: its code and its link lead nowhere from now on, also for those who are being introduced by it. Who is in
   * the game stays there. Answers with another invite, of another {@link secret}, once the lobby has given it; a lobby that is not
   * there is tried again and again.
   * @throws RendezvousError `refused`, `invalid`, `missing-package`, `aborted`
   */
  async newInvite(options: { signal?: AbortSignal } = {}): Promise<Invite> {
    if (this.#closing.signal.aborted) throw new RendezvousError("aborted", "This registration has been closed.");
    const attempt = this.#attempt;
    const secret = this.#secret;
    const isKept = this.invite !== undefined && this.#end?.isOpen !== true;
    this.#secret = this.#newSecret();
    this.invite = undefined;
    // Relays keep nothing.
    if (isKept && this.#lobby !== PUBLIC_LOBBY) this.#kept.add(secret);
    await this.#leave("The host has taken this invite back.");
    attempt.abort();
    return await this.open(options);
  }

  /** Tells the lobby, whoever is asking there, and those who are introduced from now on, what has changed. @throws RendezvousError `invalid` */
  update(details: Partial<RegistrationDetails>): void {
    const update = parseHostUpdate(details);
    this.#sealedEndpoints = sealedEndpointsOf(details) ?? this.#sealedEndpoints;
    if ("page" in details && details.page !== this.#page) {
      this.#page = pageOf(details);
      this.#end?.changePage();
    }
    for (const field of Object.keys(update) as (keyof HostDetails)[]) {
      if (JSON.stringify(update[field]) !== JSON.stringify(this.#details[field])) this.#changed.add(field);
    }
    this.#details = { ...this.#details, ...update };
    this.#flush();
  }

  /** Takes the game off the lobby's list. Waits at most a second for the lobby. */
  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) this.#closing.abort();
    clearTimeout(this.#updateTimer);
    this.#updateTimer = undefined;
    await this.#leave("The host has closed the game.");
    await this.#running;
  }

  /** Closes, for `await using`: the game leaves the list. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @throws Error where it cannot be kept */
  #newSecret(): string {
    const secret = createHostSecret();
    if (this.#secretFile !== undefined) keepSecret(this.#secretFile, secret);
    return secret;
  }

  async #leave(reason: string): Promise<void> {
    const end = this.#end;
    end?.closeIntroductions(reason);
    this.#end = undefined;
    await end?.leave();
  }

  async #giveBack(secret: string, signal: AbortSignal): Promise<void> {
    this.#kept.delete(secret);
    const end = await (await this.#openerOf(secret))(signal);
    await end.leave();
  }

  async #run(): Promise<void> {
    const [first, longest] = this.#options.retryMs ?? [500, 30_000];
    let secret = this.#secret;
    let open = await this.#openerOf(secret);
    let wait = first;
    while (!this.#closing.signal.aborted) {
      // Another one may come while this one is hashed.
      while (secret !== this.#secret) {
        secret = this.#secret;
        open = await this.#openerOf(secret);
        wait = first;
      }
      this.#attempt = new AbortController();
      const signal = AbortSignal.any([this.#closing.signal, this.#attempt.signal]);
      let error: RendezvousError;
      try {
        this.#changed.clear(); // all of it goes along; what changes meanwhile is sent after
        const end = await open(signal);
        if (signal.aborted) {
          await end.leave();
          continue;
        }
        this.#end = end;
        wait = first;
        for (const each of this.#kept) this.#giveBack(each, signal).catch(() => undefined);
        error = await this.#stay(end, signal);
      } catch (reason) {
        error = reason instanceof RendezvousError ? reason : new RendezvousError("unreachable", String(reason));
      }
      this.#end = undefined;
      if (this.#closing.signal.aborted) return;
      if (secret !== this.#secret) continue;
      if (FINAL.has(error.code)) {
        // First, so that open() says why, and not that it has been closed.
        if (trace.on) trace.event("registration-failed", traceableFailure(error));
        this.emit("failed", error);
        this.#closing.abort();
        return;
      }
      const pause = wait * (0.5 + Math.random() / 2);
      wait = Math.min(longest, wait * 2);
      if (trace.on) trace.event("registration-lost", { ...traceableFailure(error), retryInMs: pause });
      this.emit("lost", error, Math.round(pause));
      await sleep(pause, signal);
    }
  }

  /** What makes one attempt with this secret. The slow hashes are made once. */
  async #openerOf(secret: string): Promise<(signal: AbortSignal) => Promise<HostEnd>> {
    const { timeoutMs = 10_000, linkOnly = false, roomName, heartbeatMs } = this.#options;
    if (this.#lobby === PUBLIC_LOBBY) {
      const identity = await publicIdentityOf(secret);
      return (signal) =>
        openRelayEnd({
          identity,
          relays: this.#relays,
          stunServers: this.#stunServers,
          linkOnly,
          page: () => this.#page,
          openSocket: openNodeSocket,
          timeoutMs,
          signal,
        });
    }
    const identity = await hostIdentityOf(secret);
    const lobby = this.#lobby;
    return (signal) =>
      openLobbyEnd({ lobby, identity, details: this.#details, linkOnly, roomName, heartbeatMs, timeoutMs, signal });
  }

  /** From the lobby's welcome to the end of the connection; answers why it ended. */
  async #stay(end: HostEnd, signal: AbortSignal): Promise<RendezvousError> {
    const ended = Promise.withResolvers<RendezvousError>();
    end.start({
      details: () => ({
        ...this.#details,
        ...this.relaying?.(),
        endpoints: [...new Set([...this.#sealedEndpoints, ...this.#details.endpoints])].slice(0, MAX_ENDPOINTS),
      }),
      servers: () => this.servers,
      onRegistered: (invite) => this.#onRegistered(invite),
      onServers: (servers) => this.#onServers(servers),
      onIntroduction: (introduction) => this.emit("introduction", introduction),
      onOutdated: (protocol, sentence) => this.#versions.tell(protocol, () => sentence),
      onClosed: ended.resolve,
    });
    this.#flush();
    const onAbort = (): void => ended.resolve(new RendezvousError("aborted", "closed"));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await ended.promise;
    } finally {
      end.loseIntroductions("The connection to the lobby is lost.");
      signal.removeEventListener("abort", onAbort);
    }
  }

  #onRegistered(invite: Invite): void {
    this.invite = invite;
    if (trace.on) {
      const lobby = this.#lobby === PUBLIC_LOBBY ? PUBLIC_LOBBY : new URL(invite.url);
      trace.event("registered", { lobby, linkOnly: this.#options.linkOnly ?? false });
    }
    this.emit("registered", invite);
  }

  #onServers(servers: TraversalServers): void {
    this.servers = servers;
    if (trace.on) trace.event("servers", { stun: servers.stun.length, turn: servers.turn.length });
    this.emit("servers", servers);
  }

  #flush(): void {
    if (this.#updateTimer !== undefined || this.#changed.size === 0) return;
    if (this.#end?.isOpen !== true) return; // the next registration brings it all
    const changed = Object.entries(this.#details).filter(([field]) => this.#changed.has(field as keyof HostDetails));
    this.#end.update(Object.fromEntries(changed) as Partial<HostDetails>);
    this.#changed.clear();
    this.#updateTimer = setTimeout(() => {
      this.#updateTimer = undefined;
      this.#flush();
    }, UPDATE_MS);
    this.#updateTimer.unref();
  }
}

/** @throws RendezvousError `invalid` */
function pageOf({ page }: Partial<RegistrationDetails>): string | undefined {
  if (page === undefined) return undefined;
  const url = URL.canParse(page) ? new URL(page) : undefined;
  if (url && /^https?:$/.test(url.protocol) && page.length <= 512) return page;
  throw new RendezvousError(
    "invalid",
    `The page of invites must be a URL such as https://game.example/, not ${page.slice(0, 80)}`,
  );
}

function sealedEndpointsOf({ sealedEndpoints }: Partial<RegistrationDetails>): string[] | undefined {
  return sealedEndpoints === undefined ? undefined : parseHostUpdate({ endpoints: sealedEndpoints }).endpoints;
}
