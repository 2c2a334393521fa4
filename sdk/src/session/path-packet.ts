/**
 * What asks whether a peer is at an address, and the answer (RFC 9000 sections 8.2, 19.17 and 19.18). They are payloads of
 * netcode beside those of the channel, which never begin so: bits 6 and 7 of a reliable header are 0.
 *
 *     0     c0 = challenge, c1 = response
 *     1-8   eight unpredictable bytes; the response repeats the challenge's
 */
const CHALLENGE = 0xc0;
const RESPONSE = 0xc1;
const DATA_BYTES = 8;
export const PATH_PACKET_BYTES: number = 1 + DATA_BYTES;

/** Whether a payload is not the channel's. One that is not known here is a later version's, and passed over. */
export function isPathPacket(payload: Uint8Array): boolean {
  return (payload[0] ?? 0) >= CHALLENGE;
}

/** @param fill puts eight unpredictable bytes in place */
export function newChallenge(fill: (bytes: Uint8Array) => void): Uint8Array {
  const challenge = new Uint8Array(PATH_PACKET_BYTES);
  fill(challenge.subarray(1));
  challenge[0] = CHALLENGE;
  return challenge;
}

/** The eight bytes of a response; null for anything else. Valid as long as the payload. */
export function readResponse(payload: Uint8Array): Uint8Array | null {
  return payload.length === PATH_PACKET_BYTES && payload[0] === RESPONSE ? payload.subarray(1) : null;
}

/** The eight bytes of a challenge. */
export function challengeData(challenge: Uint8Array): Uint8Array {
  return challenge.subarray(1);
}

/** What answers a challenge; null for anything else. */
export function responseTo(payload: Uint8Array): Uint8Array | null {
  if (payload.length !== PATH_PACKET_BYTES || payload[0] !== CHALLENGE) return null;
  const response = payload.slice();
  response[0] = RESPONSE;
  return response;
}
