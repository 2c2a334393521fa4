/** A host at a lobby. */
import { readDefaultRoutes } from "../../net/default-route.ts";
import { addressScope } from "../../net/scope.ts";
import { reachableAddresses, usableInterfaces } from "../../net/usable-interfaces.ts";
import type { HostMail, HostMailbox } from "../mailbox/mailbox.ts";
import { openMailbox } from "../mailbox/open.ts";
import type { HostIdentity } from "../sealed/secret.ts";
import { type Invite, inviteUrl } from "../wire/invite.ts";
import type { HostDetails } from "../wire/protocol.ts";
import { isLoopbackName } from "../wire/seen-from.ts";
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
  const shown = await passedOn(lobby);
  const host = { code, proof, publicKey: key.publicKey, details };
  return new LobbyEnd(await mailbox.openHost(host, { timeoutMs, signal }), options, shown);
}

/** Addresses that somebody else can dial. */
const SCOPES: ReadonlySet<string> = new Set(["public", "private", "carrier-grade", "link-local"]);

/** The lobby's URL for somebody else: `localhost` is nobody's but ours, and our address on the network is what it means. */
async function passedOn(lobby: string): Promise<string> {
  const url = new URL(lobby);
  if (!isLoopbackName(url.hostname)) return lobby;
  const usable = reachableAddresses(usableInterfaces(await readDefaultRoutes()));
  const own = usable.find(({ family, address }) => family === 4 && SCOPES.has(addressScope(address)));
  if (own === undefined) return lobby;
  url.hostname = own.address;
  return url.href;
}

class LobbyEnd implements HostEnd {
  readonly #mailbox: HostMailbox;
  readonly #options: LobbyEndOptions;
  /** Where the link leads if the lobby names no place of its own. */
  readonly #shown: string;
  #introductions: HostIntroductions | undefined;
  #isLeft = false;

  constructor(mailbox: HostMailbox, options: LobbyEndOptions, shown: string) {
    this.#mailbox = mailbox;
    this.#options = options;
    this.#shown = shown;
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
    const { code, seal } = this.#options.identity;
    const url = said !== undefined && URL.canParse(said) ? new URL(said) : undefined;
    const isPlain = url !== undefined && /^https?:$/.test(url.protocol) && url.href.length <= 512;
    return { code, url: inviteUrl(isPlain ? url.origin + url.pathname : this.#shown, code, seal) };
  }
}
