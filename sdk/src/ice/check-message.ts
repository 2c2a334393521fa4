import type { Endpoint } from "../net/endpoint.ts";
import { StunBuilder } from "../stun/builder.ts";
import { StunAttribute, StunErrorCode, StunMethod } from "../stun/constants.ts";
import { shortTermKey } from "../stun/integrity.ts";
import type { StunMessage } from "../stun/message.ts";
import type { IceCredentials } from "./credentials.ts";
import type { IceRole } from "./types.ts";

/**
 * Which of several nominations is the last, counted up (draft-thatcher-ice-renomination, the number that libwebrtc and
 * pion use). May be ignored; without it a check that was overtaken on its way could take a nomination back.
 */
const NOMINATION = 0xc001;

/** What a check may carry without an answer 420. */
const KNOWN: ReadonlySet<number> = new Set([
  StunAttribute.USERNAME,
  StunAttribute.MESSAGE_INTEGRITY,
  StunAttribute.MESSAGE_INTEGRITY_SHA256,
  StunAttribute.PRIORITY,
  StunAttribute.USE_CANDIDATE,
]);

export interface CheckFields {
  readonly role: IceRole;
  readonly tieBreaker: bigint;
  /** Of the peer-reflexive candidate that the check may bring to light. */
  readonly priority: number;
  /** The number of the nomination; `null` without USE-CANDIDATE. */
  readonly nomination: number | null;
}

/** The keys and user names of one pair of credentials, made once. */
export class CheckCredentials {
  readonly local: IceCredentials;
  readonly #localKey: Buffer;
  #remote: IceCredentials | null = null;
  #remoteKey: Buffer = Buffer.alloc(0);

  constructor(local: IceCredentials) {
    this.local = local;
    this.#localKey = shortTermKey(local.password);
  }

  get remote(): IceCredentials | null {
    return this.#remote;
  }

  set remote(remote: IceCredentials | null) {
    this.#remote = remote;
    this.#remoteKey = shortTermKey(remote?.password ?? "");
  }

  /** A connectivity check (RFC 8445 section 7.2.2). */
  request(fields: CheckFields, transactionId: Uint8Array): Buffer {
    const builder = new StunBuilder(StunMethod.BINDING, "request", transactionId)
      .text(StunAttribute.USERNAME, `${this.#remote?.ufrag ?? ""}:${this.local.ufrag}`)
      .uint32(StunAttribute.PRIORITY, fields.priority)
      .uint64(
        fields.role === "controlling" ? StunAttribute.ICE_CONTROLLING : StunAttribute.ICE_CONTROLLED,
        fields.tieBreaker,
      );
    if (fields.nomination !== null) builder.flag(StunAttribute.USE_CANDIDATE).uint32(NOMINATION, fields.nomination);
    return builder.integrity(this.#remoteKey).fingerprint().build();
  }

  /** Always shorter than the request that it answers. */
  success(request: StunMessage, source: Endpoint): Buffer {
    return new StunBuilder(StunMethod.BINDING, "success", request.transactionId)
      .xorAddress(StunAttribute.XOR_MAPPED_ADDRESS, source)
      .integrity(this.#localKey)
      .fingerprint()
      .build();
  }

  error(request: StunMessage, code: number, reason: string, unknown: readonly number[] = []): Buffer {
    const builder = new StunBuilder(StunMethod.BINDING, "error", request.transactionId).errorCode(code, reason);
    if (unknown.length > 0) builder.unknownAttributes(unknown);
    return builder.integrity(this.#localKey).fingerprint().build();
  }

  roleConflict(request: StunMessage): Buffer {
    return this.error(request, StunErrorCode.ROLE_CONFLICT, "Role Conflict");
  }

  unknownAttributes(request: StunMessage): Buffer | null {
    const unknown = request.unknownRequired(KNOWN);
    // At most four are named, so that the answer stays shorter than the question.
    return unknown.length === 0
      ? null
      : this.error(request, StunErrorCode.UNKNOWN_ATTRIBUTE, "Unknown", unknown.slice(0, 4));
  }

  /** Whether a request is the peer's: our user name, and our password as its key. */
  acceptsRequest(message: StunMessage): boolean {
    const username = message.text(StunAttribute.USERNAME);
    if (username === undefined || message.fingerprintMatches() !== true) return false;
    const [ours, theirs] = splitUsername(username);
    if (ours !== this.local.ufrag || (this.#remote !== null && theirs !== this.#remote.ufrag)) return false;
    return message.integrityMatches(this.#localKey) === true;
  }

  /** Whether a response is the peer's: its password as the key. */
  acceptsResponse(message: StunMessage): boolean {
    return (
      this.#remote !== null &&
      message.fingerprintMatches() !== false &&
      message.integrityMatches(this.#remoteKey) === true
    );
  }
}

/** The two fragments of a check's user name, the receiver's first; the second is empty where there is none. */
export function splitUsername(username: string): readonly [string, string] {
  const colon = username.indexOf(":");
  return colon < 0 ? [username, ""] : [username.slice(0, colon), username.slice(colon + 1)];
}

/** The nomination that a request carries: its number, 0 where it has none; `null` without USE-CANDIDATE. */
export function nominationOf(message: StunMessage): number | null {
  return message.has(StunAttribute.USE_CANDIDATE) ? (message.uint32(NOMINATION) ?? 0) : null;
}

/** The role that the sender of a request has, with its tie-breaker. */
export function roleOf(message: StunMessage): { role: IceRole; tieBreaker: bigint } | null {
  const controlling = message.uint64(StunAttribute.ICE_CONTROLLING);
  if (controlling !== undefined) return { role: "controlling", tieBreaker: controlling };
  const controlled = message.uint64(StunAttribute.ICE_CONTROLLED);
  return controlled === undefined ? null : { role: "controlled", tieBreaker: controlled };
}
