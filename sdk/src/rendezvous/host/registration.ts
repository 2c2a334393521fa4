/** The host's side: keeps a hosted game known to a lobby, under one invite. */

import { EventEmitter } from "node:events";
import { traceOf } from "../../net/trace.ts";
import { sleep } from "../../net/wait.ts";
import { VersionNotices } from "../../session/versions.ts";
import { parseLobbyUrl } from "../mailbox/lobby-url.ts";
import type { HostMailbox } from "../mailbox/mailbox.ts";
import { openMailbox } from "../mailbox/open.ts";
import type { Introduction } from "../sealed/introduction.ts";
import { createHostSecret, type HostIdentity, hostIdentityOf, isHostSecret } from "../sealed/secret.ts";
import { RendezvousError, type RendezvousErrorCode, traceableFailure } from "../wire/errors.ts";
import { type Invite, inviteUrl } from "../wire/invite.ts";
import { type HostDetails, MAX_ENDPOINTS, parseHostDetails, parseHostUpdate } from "../wire/protocol.ts";
import type { TraversalServers } from "../wire/servers.ts";
import { HostIntroductions } from "./host-introductions.ts";

const trace = traceOf("rendezvous");

/** What a host says of itself. */
export interface RegistrationDetails extends HostDetails {
  /** Told to players in introductions, before `endpoints`; the lobby never sees them. Up to 32 URLs. */
  sealedEndpoints: string[];
}

/** Without `endpoints`, the lobby has no address of the host to show, and players come by introductions only. */
export interface HostRegistrationOptions extends Partial<RegistrationDetails> {
  /** The lobby's URL. */
  lobby: string;
  /** What strangers see in the lobby's list. */
  name: string;
  /** From an earlier {@link HostRegistration.secret}: the invite and its link stay the same. Default: a new one. */
  secret?: string;
  /** Introduce only players who have the whole link, so that not even the lobby can come in. Default false. */
  linkOnly?: boolean;
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

export class HostRegistration extends EventEmitter<Events> implements AsyncDisposable {
  /** Known once the lobby has been reached. */
  invite: Invite | undefined;
  /** Known soon after the lobby has been reached; the last ones while it is lost. */
  servers: TraversalServers = { stun: [], turn: [] };

  readonly #options: HostRegistrationOptions;
  readonly #lobby: string;
  readonly #closing = new AbortController();
  readonly #versions = new VersionNotices((sentence) => this.emit("outdated", sentence));
  #secret: string;
  /** Of invites that were taken back while the lobby was away: it still keeps a place for them. */
  readonly #kept = new Set<string>();
  /** Ends the attempt that is under way, of a secret that is given up. */
  #attempt = new AbortController();
  #details: HostDetails;
  #sealedEndpoints: string[] = [];
  #introductions: HostIntroductions | undefined;
  #mailbox: HostMailbox | undefined;
  #running: Promise<void> | undefined;
  #changed = new Set<keyof HostDetails>();
  #updateTimer: NodeJS.Timeout | undefined;

  /** @throws RendezvousError `invalid` */
  constructor(options: HostRegistrationOptions) {
    super();
    this.#options = options;
    this.#lobby = parseLobbyUrl(options.lobby);
    this.#details = parseHostDetails(options);
    this.#sealedEndpoints = sealedEndpointsOf(options) ?? [];
    this.#secret = options.secret ?? createHostSecret();
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
    const isKept = this.invite !== undefined && this.#mailbox?.isOpen !== true;
    this.#secret = createHostSecret();
    this.invite = undefined;
    if (isKept) this.#kept.add(secret);
    await this.#leave("The host has taken this invite back.");
    attempt.abort();
    return await this.open(options);
  }

  /** Tells the lobby, whoever is asking there, and those who are introduced from now on, what has changed. @throws RendezvousError `invalid` */
  update(details: Partial<RegistrationDetails>): void {
    const update = parseHostUpdate(details);
    this.#sealedEndpoints = sealedEndpointsOf(details) ?? this.#sealedEndpoints;
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

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #leave(reason: string): Promise<void> {
    const mailbox = this.#mailbox;
    this.#introductions?.close(reason);
    this.#mailbox = undefined;
    await mailbox?.leave();
  }

  async #giveBack(secret: string, signal: AbortSignal): Promise<void> {
    this.#kept.delete(secret);
    const mailbox = await this.#enter(await hostIdentityOf(secret), signal);
    await mailbox.leave();
  }

  async #run(): Promise<void> {
    const [first, longest] = this.#options.retryMs ?? [500, 30_000];
    let secret = this.#secret;
    let identity = await hostIdentityOf(secret);
    let wait = first;
    while (!this.#closing.signal.aborted) {
      // Another one may come while this one is hashed.
      while (secret !== this.#secret) {
        secret = this.#secret;
        identity = await hostIdentityOf(secret);
        wait = first;
      }
      this.#attempt = new AbortController();
      const signal = AbortSignal.any([this.#closing.signal, this.#attempt.signal]);
      let error: RendezvousError;
      try {
        this.#changed.clear(); // all of it goes along; what changes meanwhile is sent after
        const mailbox = await this.#enter(identity, signal);
        if (signal.aborted) {
          await mailbox.leave();
          continue;
        }
        this.#mailbox = mailbox;
        wait = first;
        for (const each of this.#kept) this.#giveBack(each, signal).catch(() => undefined);
        error = await this.#stay(mailbox, identity, signal);
      } catch (reason) {
        error = reason instanceof RendezvousError ? reason : new RendezvousError("unreachable", String(reason));
      }
      this.#mailbox = undefined;
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

  async #enter({ code, proof, key }: HostIdentity, signal: AbortSignal): Promise<HostMailbox> {
    const { timeoutMs = 10_000 } = this.#options;
    const mailbox = await openMailbox(this.#lobby, this.#options);
    return await mailbox.openHost(
      { code, proof, publicKey: key.publicKey, details: this.#details },
      { timeoutMs, signal },
    );
  }

  /** From the lobby's welcome to the end of the connection; answers why it ended. */
  async #stay(mailbox: HostMailbox, identity: HostIdentity, signal: AbortSignal): Promise<RendezvousError> {
    const ended = Promise.withResolvers<RendezvousError>();
    const introductions = this.#introduceThrough(mailbox, identity);
    this.#introductions = introductions;
    mailbox.onMessage((mail) => {
      if (this.#mailbox !== mailbox) return; // it is being left
      if (mail.type === "registered") this.#onRegistered(mail.url, identity);
      else if (mail.type === "servers") this.#onServers(mail.servers);
      else introductions.receive(mail);
    });
    mailbox.onClosed(ended.resolve);
    this.#flush();
    const onAbort = (): void => ended.resolve(new RendezvousError("aborted", "closed"));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await ended.promise;
    } finally {
      introductions.lose("The connection to the lobby is lost.");
      signal.removeEventListener("abort", onAbort);
    }
  }

  #introduceThrough(mailbox: HostMailbox, identity: HostIdentity): HostIntroductions {
    return new HostIntroductions({
      identity,
      linkOnly: this.#options.linkOnly ?? false,
      details: () => ({
        ...this.#details,
        endpoints: [...new Set([...this.#sealedEndpoints, ...this.#details.endpoints])].slice(0, MAX_ENDPOINTS),
      }),
      servers: () => this.servers,
      mailbox,
      onIntroduction: (introduction) => this.emit("introduction", introduction),
      onOutdated: (protocol, sentence) => this.#versions.tell(protocol, () => sentence),
      now: () => performance.now(),
    });
  }

  #onRegistered(said: string | undefined, { code, seal }: HostIdentity): void {
    // The link goes to people and terminals. Of what the lobby says only the place is taken: code and seal are ours.
    const url = said !== undefined && URL.canParse(said) ? new URL(said) : undefined;
    const plain = url !== undefined && /^https?:$/.test(url.protocol) && url.href.length <= 512;
    const lobby = plain ? url.origin + url.pathname : this.#lobby;
    this.invite = { code, url: inviteUrl(lobby, code, seal) };
    if (trace.on) trace.event("registered", { lobby: new URL(lobby), linkOnly: this.#options.linkOnly ?? false });
    this.emit("registered", this.invite);
  }

  #onServers(servers: TraversalServers): void {
    this.servers = servers;
    if (trace.on) trace.event("servers", { stun: servers.stun.length, turn: servers.turn.length });
    this.emit("servers", servers);
  }

  #flush(): void {
    if (this.#updateTimer !== undefined || this.#changed.size === 0) return;
    if (this.#mailbox?.isOpen !== true) return; // the next registration brings it all
    const changed = Object.entries(this.#details).filter(([field]) => this.#changed.has(field as keyof HostDetails));
    this.#mailbox.update(Object.fromEntries(changed) as Partial<HostDetails>);
    this.#changed.clear();
    this.#updateTimer = setTimeout(() => {
      this.#updateTimer = undefined;
      this.#flush();
    }, UPDATE_MS);
    this.#updateTimer.unref();
  }
}

function sealedEndpointsOf({ sealedEndpoints }: Partial<RegistrationDetails>): string[] | undefined {
  return sealedEndpoints === undefined ? undefined : parseHostUpdate({ endpoints: sealedEndpoints }).endpoints;
}
