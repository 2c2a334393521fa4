import { timingSafeEqual } from "node:crypto";
import { traceOf } from "../net/trace.ts";
import { AMPLIFICATION_LIMIT } from "../net/unproven-address.ts";
import type { NetcodeServer } from "../netcode/server.ts";
import { type NetcodeServerClient, type RandomSource, systemRandom } from "../netcode/types.ts";
import { PATH_PORT } from "./path.ts";
import { challengeData, newChallenge, readResponse } from "./path-packet.ts";

const trace = traceOf("session");

/** How long a proof is good for, ms (RFC 7675 section 5.1). */
const PROOF_MS = 5_000;
/** A question without an answer is repeated after so long … */
const REPEAT_MS = 1_000;
/** … and after so long the client is not there: ten questions, as long as a client hears nothing before it gives up. */
const GIVE_UP_MS = 10_000;
/** Between two looks at all clients, ms. */
const LOOK_MS = 1_000;

/** What is known of one client at its address. */
interface Consent {
  provenAt: number;
  /** What the client's counts were then. */
  bytesIn: number;
  bytesOut: number;
  /** Null while nothing is asked. */
  challenge: Uint8Array | null;
  askedAt: number;
  firstAskedAt: number;
}

/**
 * Whether clients are still where they once proved to be. One may have left, and go on with forged packets, so that what the server
 * sends meets whoever is there now. So a client that is sent more than three times what comes from it is asked now and then for eight
 * unpredictable bytes, as ICE asks by consent (RFC 7675); what nobody answers for 10 s ends as silence does.
 *
 * Clients on a path are not asked: the path knows.
 */
export class PathConsent {
  readonly #netcode: NetcodeServer;
  readonly #random: RandomSource;
  readonly #consents: Map<NetcodeServerClient, Consent> = new Map();
  #lookAt = Number.NEGATIVE_INFINITY;

  constructor(netcode: NetcodeServer, random: RandomSource = systemRandom) {
    this.#netcode = netcode;
    this.#random = random;
  }

  /** Does what is due. Calls that come early do nothing. */
  update(now: number): void {
    if (now < this.#lookAt) return;
    this.#lookAt = now + LOOK_MS;
    const { clients } = this.#netcode;
    // Backwards, since a client that is given up makes room for the last one.
    for (let position = clients.length - 1; position >= 0; position--) {
      const client = clients[position];
      if (client && client.port !== PATH_PORT) this.#look(client, now);
    }
  }

  /** A payload of path validation that came from the client's own address. */
  pathPacket(client: NetcodeServerClient, payload: Uint8Array, now: number): void {
    const data = readResponse(payload);
    const challenge = this.#consents.get(client)?.challenge;
    if (data && challenge && timingSafeEqual(data, challengeData(challenge))) this.#prove(client, now);
  }

  /** The client proved another address. */
  moved(client: NetcodeServerClient, now: number): void {
    this.#prove(client, now);
  }

  /** The client is gone. */
  forget(client: NetcodeServerClient): void {
    this.#consents.delete(client);
  }

  #look(client: NetcodeServerClient, now: number): void {
    const consent = this.#consents.get(client);
    // netcode's own handshake has just proved it.
    if (!consent) this.#prove(client, now);
    else if (consent.challenge) this.#ask(client, consent, now);
    else if (now - consent.provenAt >= PROOF_MS && isOneSided(client, consent)) {
      consent.challenge = newChallenge(this.#random);
      consent.firstAskedAt = now;
      this.#ask(client, consent, now);
    }
  }

  #ask(client: NetcodeServerClient, consent: Consent, now: number): void {
    if (now - consent.firstAskedAt >= GIVE_UP_MS) {
      if (trace.on) trace.event("consent-expired", { from: client });
      this.#netcode.giveUp(client);
    } else if (consent.challenge && now - consent.askedAt >= REPEAT_MS) {
      consent.askedAt = now;
      this.#netcode.sendTo(client, consent.challenge, client.address, client.port);
    }
  }

  #prove(client: NetcodeServerClient, now: number): void {
    this.#consents.set(client, {
      provenAt: now,
      bytesIn: client.bytesIn,
      bytesOut: client.bytesOut,
      challenge: null,
      askedAt: Number.NEGATIVE_INFINITY,
      firstAskedAt: now,
    });
  }
}

const isOneSided = (client: NetcodeServerClient, since: Consent): boolean =>
  client.bytesOut - since.bytesOut > AMPLIFICATION_LIMIT * (client.bytesIn - since.bytesIn);
