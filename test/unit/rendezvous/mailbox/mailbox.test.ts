/** A host and guests who meet through a mailbox that is no lobby: nothing here is Colyseus'. */
import { beforeAll, describe, expect, test } from "vitest";
import { Approach } from "../../../../sdk/src/rendezvous/guest/approach.ts";
import { HostIntroductions } from "../../../../sdk/src/rendezvous/host/host-introductions.ts";
import type { GuestMail, GuestMailbox, HostMail, HostMailbox } from "../../../../sdk/src/rendezvous/mailbox/mailbox.ts";
import type { Introduction } from "../../../../sdk/src/rendezvous/sealed/introduction.ts";
import { noiseReady } from "../../../../sdk/src/rendezvous/sealed/noise.ts";
import {
  createHostSecret,
  type HostIdentity,
  hostIdentityOf,
  verifierOf,
} from "../../../../sdk/src/rendezvous/sealed/secret.ts";
import { toBase64Url } from "../../../../sdk/src/rendezvous/wire/base64url.ts";
import { RendezvousError } from "../../../../sdk/src/rendezvous/wire/errors.ts";
import type { HostDetails, HostMessage } from "../../../../sdk/src/rendezvous/wire/protocol.ts";

const details: HostDetails = {
  name: "Arena",
  description: "",
  players: 1,
  maxPlayers: 8,
  version: "1",
  endpoints: ["http://203.0.113.7:7777"],
};
let identity: HostIdentity;
let other: HostIdentity;

beforeAll(async () => {
  await noiseReady;
  identity = await hostIdentityOf(createHostSecret());
  other = await hostIdentityOf(createHostSecret());
});

/** A mailbox in memory, with one host. */
class Post {
  readonly introductions: Introduction[] = [];
  /** All bytes that the mailbox saw. */
  readonly seen: Uint8Array[] = [];
  readonly #guests = new Map<number, GuestEnd>();
  readonly #host: HostIntroductions;
  readonly #attests: boolean;

  /** @param attests the mailbox sees both sides at one public address, as a lobby may */
  constructor({ linkOnly = false, attests = false } = {}) {
    this.#attests = attests;
    const mailbox: Pick<HostMailbox, "send" | "end"> = {
      send: (id, data) => this.#toGuest(id, { type: "relay", data: this.#see(data) }),
      end: (id, reason) => this.#toGuest(id, { type: "end", reason }),
    };
    this.#host = new HostIntroductions({
      identity,
      linkOnly,
      details: () => details,
      servers: () => ({ stun: [], turn: [] }),
      mailbox,
      onOutdated: () => undefined,
      onIntroduction: (introduction) => this.introductions.push(introduction) > 0,
      now: () => performance.now(),
    });
  }

  /** What the host is doing there: true in all but one test. */
  enter(
    seal: string | undefined,
    host: Partial<HostMessage> = {},
  ): { end: GuestEnd; introduced: Promise<Introduction> } {
    const id = this.#guests.size + 1;
    const end = new GuestEnd(
      (hello) => this.#introduce(id, hello),
      (data) => this.#toHost({ type: "relay", id, data: this.#see(data) }),
    );
    this.#guests.set(id, end);
    const invite = seal === undefined ? { code: identity.code } : { code: identity.code, seal };
    const { introduced } = new Approach(end, invite);
    const key = toBase64Url(identity.key.publicKey);
    const verifier = toBase64Url(verifierOf(identity.proof));
    end.hear({
      type: "host",
      host: { ...details, name: "as the mailbox has it", online: true, key, verifier, ...host },
    });
    return { end, introduced };
  }

  #introduce(id: number, hello: Uint8Array): void {
    if (this.#attests) this.#toGuest(id, { type: "attested" });
    this.#toHost({ type: "introduction", id, hello: this.#see(hello), ...(this.#attests && { attested: true }) });
  }

  #toGuest(id: number, mail: GuestMail): void {
    queueMicrotask(() => this.#guests.get(id)?.hear(mail));
  }

  #toHost(mail: HostMail): void {
    queueMicrotask(() => this.#host.receive(mail));
  }

  #see(bytes: Uint8Array): Uint8Array {
    this.seen.push(bytes);
    return bytes;
  }
}

class GuestEnd implements GuestMailbox {
  isOpen = true;
  readonly introduce: (hello: Uint8Array) => void;
  readonly send: (data: Uint8Array) => void;
  #onMail: (mail: GuestMail) => void = () => undefined;
  #onClosed: (error: RendezvousError) => void = () => undefined;

  constructor(introduce: (hello: Uint8Array) => void, send: (data: Uint8Array) => void) {
    this.introduce = introduce;
    this.send = send;
  }

  hear(mail: GuestMail): void {
    if (this.isOpen) this.#onMail(mail);
  }

  /** The mailbox ends it. */
  lose(error: RendezvousError): void {
    this.isOpen = false;
    this.#onClosed(error);
  }

  onMessage(listener: (mail: GuestMail) => void): void {
    this.#onMail = listener;
  }

  onClosed(listener: (error: RendezvousError) => void): void {
    this.#onClosed = listener;
  }

  close(): void {
    this.isOpen = false;
  }
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (said: string): Uint8Array => new TextEncoder().encode(said);

describe("through a mailbox of any kind", () => {
  test.each([
    ["the link", true],
    ["the code", false],
  ])("a guest with %s and the host hear each other, and the mailbox reads nothing", async (_what, hasLink) => {
    const post = new Post();
    const { end, introduced } = post.enter(hasLink ? identity.seal : undefined);
    const guest = await introduced;
    await expect.poll(() => post.introductions.length).toBe(1);
    expect(guest.details).toEqual(details);
    expect(guest.authenticated).toBe(hasLink);
    const [host] = post.introductions;
    const heard: string[] = [];
    host?.onMessage((message) => heard.push(`host: ${text(message)}`));
    guest.onMessage((message) => heard.push(`guest: ${text(message)}`));
    expect(guest.send(bytes("knock"))).toBe(true);
    expect(host?.send(bytes("come in"))).toBe(true);
    await expect.poll(() => heard).toEqual(["host: knock", "guest: come in"]);
    const all = post.seen.map((each) => new TextDecoder("latin1").decode(each)).join("");
    expect(all).not.toMatch(/knock|come in|203\.0\.113/);
    guest.close("done");
    await expect.poll(() => host?.closed).toEqual({ by: "there", reason: "done" });
    expect(end.isOpen).toBe(false);
  });

  test.each([true, false])("whether both have one public address, the mailbox alone says: %s", async (attests) => {
    const post = new Post({ attests });
    const guest = await post.enter(identity.seal).introduced;
    await expect.poll(() => post.introductions.length).toBe(1);
    expect([guest.attested, post.introductions[0]?.attested]).toEqual([attests, attests]);
  });

  test("a host that wants the link refuses the code", async () => {
    const { introduced } = new Post({ linkOnly: true }).enter(undefined);
    await expect(introduced).rejects.toMatchObject({ code: "refused", message: expect.stringContaining("whole link") });
  });

  test.each([
    ["the link", () => identity.seal],
    ["the code", () => undefined],
  ])("a mailbox that names another host is found out by %s", async (_what, sealOf) => {
    const post = new Post();
    const { end, introduced } = post.enter(sealOf(), { key: toBase64Url(other.key.publicKey) });
    await expect(introduced).rejects.toMatchObject({ code: "forged" });
    expect(end.isOpen).toBe(false);
    expect(post.introductions).toHaveLength(0);
  });

  test("a host that is away is waited for, and greeted when it is back", async () => {
    const post = new Post();
    const { end, introduced } = post.enter(identity.seal, { online: false });
    expect(post.seen).toHaveLength(0);
    const key = toBase64Url(identity.key.publicKey);
    end.hear({ type: "host", host: { ...details, online: true, key } });
    expect((await introduced).details).toEqual(details);
  });

  test("what ends the mailbox ends the introduction, with its reason", async () => {
    const post = new Post();
    const first = post.enter(identity.seal);
    const guest = await first.introduced;
    first.end.lose(new RendezvousError("rate-limited", "too much"));
    expect(guest.closed).toEqual({ by: "lost", reason: "too much" });
    const second = post.enter(identity.seal, { online: false });
    second.end.lose(new RendezvousError("rate-limited", "too much"));
    await expect(second.introduced).rejects.toMatchObject({ code: "rate-limited" });
  });
});
