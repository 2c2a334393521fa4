/** A guest's way through one mailbox to its host: hello, the host's answer, and its details. */
import { traceOf } from "../../net/trace.ts";
import type { GuestMail, GuestMailbox } from "../mailbox/mailbox.ts";
import { type Introduction, SealedIntroduction } from "../sealed/introduction.ts";
import { concat, NoiseInitiator } from "../sealed/noise.ts";
import { hasFingerprint, pskOf } from "../sealed/seal.ts";
import { fromBase64Url, parsePublicKey } from "../wire/base64url.ts";
import { CAN_HASH_CODES, inviteCodeOf } from "../wire/code.ts";
import { RendezvousError } from "../wire/errors.ts";
import type { ParsedInvite } from "../wire/invite.ts";
import { type EndReason, HELLO, type HostMessage, prologueOf } from "../wire/protocol.ts";
import { parseSeal } from "../wire/seal-text.ts";
import type { TraversalServers } from "../wire/servers.ts";

const trace = traceOf("rendezvous");

/** Needs noise to be ready. */
export class Approach {
  readonly #mailbox: GuestMailbox;
  readonly #invite: ParsedInvite;
  readonly #introduced = Promise.withResolvers<Introduction>();
  #servers: TraversalServers = { stun: [], turn: [] };
  #host: HostMessage | undefined;
  #hostKey: Uint8Array | undefined;
  /** After our first message, until the answer. */
  #handshake: NoiseInitiator | undefined;
  #introduction: SealedIntroduction | undefined;
  #codeChecked: Promise<void> = Promise.resolve();
  #attested = false;

  constructor(mailbox: GuestMailbox, invite: ParsedInvite) {
    this.#mailbox = mailbox;
    this.#invite = invite;
    this.introduced.catch(() => undefined);
    mailbox.onMessage((mail) => this.#receive(mail));
    mailbox.onClosed((error) => this.#fail(error));
  }

  get introduced(): Promise<Introduction> {
    return this.#introduced.promise;
  }

  #receive(mail: GuestMail): void {
    try {
      switch (mail.type) {
        case "host":
          return this.#onHost(mail.host);
        case "servers":
          this.#servers = mail.servers;
          return;
        case "attested":
          this.#attested = true;
          return;
        case "relay":
          return this.#onRelay(mail.data);
        case "end":
          return this.#onEnd(mail.reason);
      }
    } catch (error) {
      if (!(error instanceof RendezvousError)) throw error;
      this.#fail(error);
    }
  }

  #onHost(host: HostMessage): void {
    if (trace.on && host.online !== this.#host?.online) trace.event("host", { online: host.online, name: host.name });
    this.#host = host;
    if (host.online && this.#handshake === undefined && this.#introduction === undefined) this.#sayHello(host);
  }

  #sayHello(host: HostMessage): void {
    const { code, seal } = this.#invite;
    const key = parsePublicKey(host.key);
    if (key === undefined) throw new RendezvousError("refused", "This host takes no introductions.");
    const known = seal === undefined ? undefined : parseSeal(seal);
    if (known === undefined) this.#checkCode(key, host);
    else if (!hasFingerprint(key, known)) throw forged();
    const mode = known === undefined ? HELLO.code : HELLO.link;
    this.#hostKey = key;
    this.#handshake = new NoiseInitiator({
      responderKey: key,
      prologue: prologueOf(code, mode),
      psk: known === undefined ? undefined : pskOf(known.pass),
    });
    const hello = this.#handshake.write();
    if (hello === undefined) throw forged();
    if (trace.on) trace.event("hello", { withLink: mode === HELLO.link });
    this.#mailbox.introduce(concat(Uint8Array.of(mode), hello));
  }

  /** Takes its time, but no longer than the host's answer does; nothing of ours is said before. */
  #checkCode(key: Uint8Array, { verifier }: HostMessage): void {
    if (!CAN_HASH_CODES) return;
    const bytes = fromBase64Url(verifier ?? "") ?? new Uint8Array(0);
    this.#codeChecked = inviteCodeOf(bytes, key).then((code) => {
      if (code !== this.#invite.code) throw forged();
    });
    this.#codeChecked.catch((error: unknown) => this.#fail(error));
  }

  #onRelay(data: Uint8Array): void {
    if (this.#introduction !== undefined) {
      this.#introduction.receive(data);
      this.#settle();
      return;
    }
    const transport = this.#handshake?.read(data);
    if (this.#handshake === undefined || this.#hostKey === undefined || this.#host === undefined) return;
    if (transport === undefined) throw forged();
    const { name, description, players, maxPlayers, version } = this.#host;
    this.#introduction = new SealedIntroduction({
      code: this.#invite.code,
      // Only until the host's own come, before which nobody sees them.
      details: { name, description, players, maxPlayers, version, endpoints: [] },
      remoteKey: this.#hostKey,
      authenticated: this.#invite.seal !== undefined,
      attested: this.#attested,
      servers: () => this.#servers,
      transport,
      wire: {
        relay: (record) => this.#mailbox.send(record),
        end: () => this.#mailbox.close(),
      },
      now: () => performance.now(),
    });
    this.#introduction.sendReady();
  }

  /** The host's first record is its details. */
  #settle(): void {
    const introduction = this.#introduction;
    if (introduction === undefined) return;
    const { closed } = introduction;
    if (closed === undefined) {
      if (!introduction.hasDetails) return;
      this.#codeChecked.then(
        () => this.#introduced.resolve(introduction),
        () => introduction.close("forged"),
      );
    } else if (closed.by === "forged") this.#introduced.reject(forged());
    else if (introduction.outdated) {
      this.#introduced.reject(new RendezvousError("refused", `${introduction.outdated.sentence}.`));
    } else this.#introduced.reject(new RendezvousError("refused", `The host ended the introduction: ${closed.reason}`));
  }

  #onEnd(reason: EndReason): void {
    if (trace.on) trace.event("host-ended", { reason });
    if (this.#introduction !== undefined) {
      this.#introduction.lose(reasonOfEnd(reason));
      this.#settle();
      return;
    }
    // The lobby says when it is back.
    if (reason === "away") this.#handshake = undefined;
    else {
      // A lobby that named a wrong key has a host that cannot read: the cause is said, not what came of it.
      const error = new RendezvousError(codeOfEnd(reason), reasonOfEnd(reason));
      this.#codeChecked.then(
        () => this.#fail(error),
        () => undefined,
      );
    }
  }

  #fail(error: unknown): void {
    this.#introduced.reject(error);
    this.#introduction?.lose(error instanceof Error ? error.message : "The lobby spoke nonsense.");
    this.#mailbox.close();
  }
}

function forged(): RendezvousError {
  return new RendezvousError(
    "forged",
    "The lobby does not lead to the host that this invite names: it, or somebody before it, altered what was said. Do not use it.",
  );
}

function codeOfEnd(reason: EndReason): "unreachable" | "rate-limited" | "refused" {
  if (reason === "limit") return "rate-limited";
  return reason === "away" || reason === "left" ? "unreachable" : "refused";
}

function reasonOfEnd(reason: EndReason): string {
  switch (reason) {
    case "left":
      return "The host has ended the introduction.";
    case "away":
      return "The host's connection to the lobby is lost. Try again in a minute.";
    case "limit":
      return "More was sent than the lobby or the host takes. Try again in a minute.";
    case "link-required":
      return "This host takes only players who have the whole link. Ask for it.";
    case "unreadable":
      return "The host cannot open what was sent. Is the link whole, and not an older one?";
    case "refused":
      return "This host takes no introductions.";
  }
}
