/** A host at a lobby. */
import type { HostMail, HostMailbox } from "../mailbox/mailbox.ts";
import { openMailbox } from "../mailbox/open.ts";
import type { HostIdentity } from "../sealed/secret.ts";
import { type Invite, inviteUrl } from "../wire/invite.ts";
import type { HostDetails } from "../wire/protocol.ts";
import type { HostEnd, HostEndEvents } from "./host-end.ts";
import { HostIntroductions } from "./host-introductions.ts";

export interface LobbyEndOptions {
  /** The lobby's URL. */
  lobby: string;
  identity: HostIdentity;
  details: HostDetails;
  linkOnly: boolean;
  roomName?: string | undefined;
  heartbeatMs?: number | undefined;
  timeoutMs: number;
  signal: AbortSignal;
}

/** One attempt. @throws RendezvousError as Mailbox.openHost */
export async function openLobbyEnd(options: LobbyEndOptions): Promise<HostEnd> {
  const { lobby, identity, details, timeoutMs, signal } = options;
  const { code, proof, key } = identity;
  const mailbox = await openMailbox(lobby, options);
  const host = { code, proof, publicKey: key.publicKey, details };
  return new LobbyEnd(await mailbox.openHost(host, { timeoutMs, signal }), options);
}

class LobbyEnd implements HostEnd {
  readonly #mailbox: HostMailbox;
  readonly #options: LobbyEndOptions;
  #introductions: HostIntroductions | undefined;
  #isLeft = false;

  constructor(mailbox: HostMailbox, options: LobbyEndOptions) {
    this.#mailbox = mailbox;
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#mailbox.isOpen;
  }

  start(events: HostEndEvents): void {
    const { identity, linkOnly } = this.#options;
    const mailbox = this.#mailbox;
    const introductions = new HostIntroductions({
      ...events,
      identity,
      linkOnly,
      mailbox,
      now: () => performance.now(),
    });
    this.#introductions = introductions;
    mailbox.onMessage((mail: HostMail) => {
      if (this.#isLeft) return;
      if (mail.type === "registered") events.onRegistered(this.#inviteAt(mail.url));
      else if (mail.type === "servers") events.onServers(mail.servers);
      else introductions.receive(mail);
    });
    mailbox.onClosed(events.onClosed);
  }

  update(details: Partial<HostDetails>): void {
    this.#mailbox.update(details);
  }

  /** A lobby's link has the lobby's page. */
  changePage(): void {}

  closeIntroductions(reason: string): void {
    this.#introductions?.close(reason);
  }

  loseIntroductions(reason: string): void {
    this.#introductions?.lose(reason);
  }

  async leave(): Promise<void> {
    this.#isLeft = true;
    await this.#mailbox.leave();
  }

  /** The link goes to people and terminals. Of what the lobby says only the place is taken: code and seal are ours. */
  #inviteAt(said: string | undefined): Invite {
    const { lobby, identity } = this.#options;
    const { code, seal } = identity;
    const url = said !== undefined && URL.canParse(said) ? new URL(said) : undefined;
    const isPlain = url !== undefined && /^https?:$/.test(url.protocol) && url.href.length <= 512;
    return { code, url: inviteUrl(isPlain ? url.origin + url.pathname : lobby, code, seal) };
  }
}
