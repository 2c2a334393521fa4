import { StunAttribute as A, StunErrorCode as Code } from "../../stun/constants.ts";
import type { StunMessage } from "../../stun/message.ts";

/** IANA's number of UDP, in REQUESTED-TRANSPORT. */
const UDP = 17;
const IPV4 = 1;
/** The R bit of EVEN-PORT: the next higher port is to be kept for a later request. */
const RESERVE = 0x80;
/** REQUESTED-ADDRESS-FAMILY, RFC 8656 section 18.8. */
export const FAMILIES: ReadonlyMap<number, 4 | 6> = new Map([
  [IPV4, 4],
  [2, 6],
]);

export interface AllocateRequest {
  family: 4 | 6;
  /** The relayed port must be even. */
  even: boolean;
}

/**
 * What an Allocate request asks for, or the error to answer with, in the order of RFC 8656 section 7.2.
 *
 * No port is ever reserved: a game has no RTCP beside its RTP. The specification has 508 for a server that cannot, and for tokens that it
 * did not give. ADDITIONAL-ADDRESS-FAMILY may be ignored, and is, but where the request contradicts itself.
 * @param has whether the server has relayed addresses of a family
 */
export function readAllocate(message: StunMessage, has: (family: 4 | 6) => boolean): AllocateRequest | number {
  const transport = message.get(A.REQUESTED_TRANSPORT);
  if (transport?.length !== 4) return Code.BAD_REQUEST;
  if (transport[0] !== UDP) return Code.UNSUPPORTED_TRANSPORT_PROTOCOL;
  const asked = message.get(A.REQUESTED_ADDRESS_FAMILY);
  const evenPort = message.get(A.EVEN_PORT);
  const additional = message.get(A.ADDITIONAL_ADDRESS_FAMILY);
  if (message.has(A.RESERVATION_TOKEN)) {
    const isClear = asked === undefined && evenPort === undefined && additional === undefined;
    return isClear ? Code.INSUFFICIENT_CAPACITY : Code.BAD_REQUEST;
  }
  if (asked !== undefined && additional !== undefined) return Code.BAD_REQUEST;
  const family = asked === undefined ? 4 : FAMILIES.get(asked[0] ?? 0);
  if (family === undefined || !has(family)) return Code.ADDRESS_FAMILY_NOT_SUPPORTED;
  if (((evenPort?.[0] ?? 0) & RESERVE) !== 0) {
    return additional === undefined ? Code.INSUFFICIENT_CAPACITY : Code.BAD_REQUEST;
  }
  if (additional?.[0] === IPV4) return Code.BAD_REQUEST;
  return { family, even: evenPort !== undefined };
}
