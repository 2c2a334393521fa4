/** The player's side: from an invite to a sealed conversation with its host. */
import { traceOf } from "../../net/trace.ts";
import { openMailbox } from "../mailbox/open.ts";
import { openPageSocket } from "../mailbox/socket.ts";
import type { Introduction } from "../sealed/introduction.ts";
import { noiseReady } from "../sealed/noise.ts";
import { traceableFailure } from "../wire/errors.ts";
import { PUBLIC_LOBBY } from "../wire/invite.ts";
import { Approach } from "./approach.ts";
import type { RelaySockets } from "./by-relays.ts";
import type { CodeHashes } from "./code-hashes.ts";
import { type AskedInvite, askedInvite, type Patience, patienceOf, type ResolveOptions } from "./resolve.ts";

const trace = traceOf("rendezvous");

/** The same as of {@link resolveInvite}; the time is until the host has answered. Default 10 000 ms. */
export interface IntroduceOptions extends ResolveOptions {
  /**
   * With an invite of `public`: messages that go along with the first one, so that a join takes two in all. Holders of the invite who
   * record relays can read these, unlike everything later. Asked once, when the first relay is there.
   */
  opening?: (() => readonly Uint8Array[]) | undefined;
  /** @internal With an invite of `public`: the slow hashes of its code, from earlier introductions. */
  hashes?: CodeHashes | undefined;
}

/**
 * Asks the lobby to relay a conversation with the host that has this invite; answers when the host has, and has said what
 * it is. While the host's connection to the lobby is lost, it is waited for.
 *
 * With a whole link, `LOBBY/#K7Q2-9FXM.` and its seal, the lobby can read nothing, and be neither host nor player. With a
 * bare code the lobby names the host's key: it is checked against the code's 40 bits, which a determined lobby could forge.
 *
 * An invite of `public` goes through relays: with a whole link or a bare code alike, nobody but the host that it names can answer.
 *
 * @param sockets how relays are reached. Default: as a page can
 * @throws RendezvousError `forged` when the lobby names another host or altered its answer, and as {@link resolveInvite} does
 */
export async function introduce(
  codeOrLink: string,
  options: IntroduceOptions = {},
  sockets: RelaySockets = { open: openPageSocket, canStream: false },
): Promise<Introduction> {
  const invite = askedInvite(codeOrLink, options.lobby);
  const patience = patienceOf(invite.lobby, options);
  const begun = performance.now();
  let entered: { close(): void } | undefined;
  try {
    await Promise.race([noiseReady, patience.over]);
    const enter = invite.lobby === PUBLIC_LOBBY ? enterRelays : enterLobby;
    const approach = await enter(invite, options, patience, sockets);
    entered = approach;
    const introduction = await Promise.race([approach.introduced, patience.over]);
    if (trace.on) traceIntroduced(introduction, performance.now() - begun);
    return introduction;
  } catch (error) {
    if (trace.on) {
      trace.event("introduction-failed", { ...traceableFailure(error), ms: performance.now() - begun });
    }
    entered?.close();
    throw error;
  } finally {
    patience.stop();
  }
}

interface EnteredApproach {
  introduced: Promise<Introduction>;
  close(): void;
}

async function enterLobby(
  invite: AskedInvite,
  options: IntroduceOptions,
  patience: Patience,
): Promise<EnteredApproach> {
  const mailbox = await Promise.race([openMailbox(invite.lobby, options), patience.over]);
  const entered = await mailbox.openGuest(invite.code, patience);
  const { introduced } = new Approach(entered, invite);
  return { introduced, close: () => entered.close() };
}

/** Loaded for an invite of `public` alone: a page should not carry what it does not need. */
async function enterRelays(
  invite: AskedInvite,
  options: IntroduceOptions,
  patience: Patience,
  sockets: RelaySockets,
): Promise<EnteredApproach> {
  const { approachByRelays } = await import("./by-relays.ts");
  const approaching = approachByRelays(invite, options, sockets);
  try {
    return await Promise.race([approaching, patience.over]);
  } catch (error) {
    approaching.then(
      (late) => late.close(),
      () => undefined,
    );
    throw error;
  }
}

function traceIntroduced(introduction: Introduction, ms: number): void {
  const { authenticated, details, servers } = introduction;
  const counts = { stun: servers.stun.length, turn: servers.turn.length };
  trace.event("introduced", { authenticated, endpoints: details.endpoints, ...counts, ms });
  introduction.onClose((closed) => trace.event("introduction-ended", { ...closed }));
}
