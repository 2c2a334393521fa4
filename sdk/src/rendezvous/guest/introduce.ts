/** The player's side: from an invite to a sealed conversation with its host. */
import { traceOf } from "../../net/trace.ts";
import type { GuestMailbox } from "../mailbox/mailbox.ts";
import { openMailbox } from "../mailbox/open.ts";
import type { Introduction } from "../sealed/introduction.ts";
import { noiseReady } from "../sealed/noise.ts";
import { traceableFailure } from "../wire/errors.ts";
import { Approach } from "./approach.ts";
import { askedInvite, patienceOf, type ResolveOptions } from "./resolve.ts";

const trace = traceOf("rendezvous");

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
  const begun = performance.now();
  let entered: GuestMailbox | undefined;
  try {
    const [mailbox] = await Promise.race([
      Promise.all([openMailbox(invite.lobby, options), noiseReady]),
      patience.over,
    ]);
    entered = await mailbox.openGuest(invite.code, patience);
    const introduction = await Promise.race([new Approach(entered, invite).introduced, patience.over]);
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

function traceIntroduced(introduction: Introduction, ms: number): void {
  const { authenticated, details, servers } = introduction;
  const counts = { stun: servers.stun.length, turn: servers.turn.length };
  trace.event("introduced", { authenticated, endpoints: details.endpoints, ...counts, ms });
  introduction.onClose((closed) => trace.event("introduction-ended", { ...closed }));
}
