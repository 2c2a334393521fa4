/** The player's side: from an invite to a sealed conversation with its host. */
import type { Room } from "@colyseus/sdk";
import { enterLobby } from "../mailbox/lobby.ts";
import { type Introduction, SealedIntroduction } from "../sealed/introduction.ts";
import { concat, NoiseInitiator, noiseReady } from "../sealed/noise.ts";
import { MAX_RECORD_BYTES } from "../sealed/records.ts";
import { fromBase64Url, hasFingerprint, parsePublicKey, parseSeal, pskOf } from "../sealed/seal.ts";
import { CAN_HASH_CODES, inviteCodeOf } from "../wire/code.ts";
import { RendezvousError } from "../wire/errors.ts";
import {
  CLOSE_ENDED,
  CLOSE_FLOOD,
  CLOSE_IDLE,
  type EndReason,
  HELLO,
  type HostMessage,
  parseBytes,
  parseEndReason,
  parseHostMessage,
  prologueOf,
  RENDEZVOUS_ROOM,
} from "../wire/protocol.ts";
import { parseServers, type TraversalServers } from "../wire/servers.ts";
import { type AskedInvite, askedInvite, patienceOf, type ResolveOptions } from "./resolve.ts";

/** The same as of {@link resolveInvite}; the time is until the host has answered. Default 10 000 ms. */
export type IntroduceOptions = ResolveOptions;

/**
 * Asks the lobby to relay a conversation with the host that has this invite; answers when the host has, and has said what
 * it is. While the host's connection to the lobby is lost, it is waited for.
 *
 * With a whole link, `LOBBY/#K7Q2-9FXM.` and its seal, the lobby can read nothing, and be neither host nor player. With a
 * bare code the lobby names the host's key: it is checked against the code's 40 bits, which a determined lobby could forge.
 *
 * @throws RendezvousError `forged` when the lobby names another host or altered its answer, and as {@link resolveInvite} does
 */
export async function introduce(codeOrLink: string, options: IntroduceOptions = {}): Promise<Introduction> {
  const invite = askedInvite(codeOrLink, options.lobby);
  const patience = patienceOf(invite.lobby, options);
  await noiseReady;
  let room: Room | undefined;
  try {
    room = await enterLobby({
      lobby: invite.lobby,
      roomName: options.roomName ?? RENDEZVOUS_ROOM,
      method: "join",
      options: { invite: invite.code },
      timeoutMs: patience.timeoutMs,
      signal: options.signal,
    });
    return await Promise.race([new Approach(room, invite).introduced, patience.over]);
  } catch (error) {
    room?.connection.close();
    throw error;
  } finally {
    patience.stop();
  }
}

class Approach {
  readonly #room: Room;
  readonly #invite: AskedInvite;
  readonly #introduced = Promise.withResolvers<Introduction>();
  #servers: TraversalServers = { stun: [], turn: [] };
  #host: HostMessage | undefined;
  #hostKey: Uint8Array | undefined;
  /** After our first message, until the answer. */
  #handshake: NoiseInitiator | undefined;
  #introduction: SealedIntroduction | undefined;
  #codeChecked: Promise<void> = Promise.resolve();
  #left = false;

  constructor(room: Room, invite: AskedInvite) {
    this.#room = room;
    this.#invite = invite;
    this.introduced.catch(() => undefined);
    room.onMessage("*", (type, message: unknown) => this.#receive(type, message));
    // Also called, without a code, when the connection breaks.
    room.onError((_code, reason) => this.#lose("unreachable", reason ?? "The connection to the lobby broke."));
    room.onLeave((code) => {
      this.#left = true;
      this.#lose(code === CLOSE_FLOOD ? "rate-limited" : "unreachable", reasonOf(code));
    });
  }

  get introduced(): Promise<Introduction> {
    return this.#introduced.promise;
  }

  #receive(type: unknown, message: unknown): void {
    try {
      if (type === "servers") this.#servers = parseServers(message);
      else if (type === "host") this.#onHost(parseHostMessage(message));
      else if (type === "relay") this.#onRelay(parseBytes(message, "data", MAX_RECORD_BYTES) ?? new Uint8Array(0));
      else if (type === "end") this.#onEnd(parseEndReason(message));
    } catch (error) {
      if (!(error instanceof RendezvousError)) throw error;
      this.#fail(error);
    }
  }

  #onHost(host: HostMessage): void {
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
    this.#room.send("introduce", { hello: concat(Uint8Array.of(mode), hello) });
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
      servers: () => this.#servers,
      transport,
      wire: {
        relay: (record) => this.#room.send("relay", { data: record }),
        end: () => this.#leave(),
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
    else this.#introduced.reject(new RendezvousError("refused", `The host ended the introduction: ${closed.reason}`));
  }

  #onEnd(reason: EndReason): void {
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

  #lose(code: "unreachable" | "rate-limited", reason: string): void {
    this.#introduction?.lose(reason);
    this.#fail(new RendezvousError(code, reason));
  }

  #fail(error: unknown): void {
    this.#introduced.reject(error);
    this.#introduction?.lose(error instanceof Error ? error.message : "The lobby spoke nonsense.");
    this.#leave();
  }

  #leave(): void {
    if (this.#left) return;
    this.#left = true;
    // Closing waits for what has been sent.
    this.#room.connection.close();
  }
}

function forged(): RendezvousError {
  return new RendezvousError(
    "forged",
    "The lobby does not lead to the host that this invite names: it, or somebody before it, altered what was said. Do not use it.",
  );
}

function reasonOf(code: number): string {
  switch (code) {
    case CLOSE_IDLE:
      return "The time that the lobby gives to an introduction is over.";
    case CLOSE_ENDED:
      return "The host has closed the game.";
    case CLOSE_FLOOD:
      return "More was sent than the lobby relays.";
    default:
      return `The lobby ended the connection (${code}).`;
  }
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
