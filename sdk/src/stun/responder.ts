import type { Endpoint } from "../net/endpoint.ts";
import { AMPLIFICATION_LIMIT } from "../net/unproven-address.ts";
import { StunBuilder } from "./builder.ts";
import { CHANGE_IP, CHANGE_PORT, StunAttribute, StunErrorCode, StunMethod } from "./constants.ts";
import { isStun, StunMessage } from "./message.ts";

/** Options of `respondToStun`. */
export interface StunResponderOptions {
  /** SOFTWARE's text, at most 127 characters, for requests that are long enough. Default: none. */
  software?: string;
}

/** Where a request arrived and what else the responder could answer from. Unknown parts are left out of the answer. */
export interface StunLocal {
  /** The address and port that the request was sent to: RESPONSE-ORIGIN. */
  origin?: Endpoint;
  /** Another address **and** another port of this responder: OTHER-ADDRESS, and CHANGE-REQUEST may ask for either. */
  other?: Endpoint;
  /** It has another port, but no other address: CHANGE-REQUEST may ask for the port. */
  otherPort?: boolean;
}

/** An answer, and from where to send it. */
export interface StunReply {
  /** The datagram. */
  data: Buffer;
  /** Whether to send it from the other address. */
  changeAddress: boolean;
  /** Whether to send it from the other port. */
  changePort: boolean;
  /** Where to: the source's port, or the one that RESPONSE-PORT names (RFC 5780 section 7.5). */
  port: number;
}

/** What a request may carry without an answer 420. Without credentials of our own, integrity is not looked at. */
const KNOWN = new Set<number>([
  StunAttribute.USERNAME,
  StunAttribute.MESSAGE_INTEGRITY,
  StunAttribute.MESSAGE_INTEGRITY_SHA256,
  StunAttribute.REALM,
  StunAttribute.NONCE,
  StunAttribute.PASSWORD_ALGORITHM,
  StunAttribute.USERHASH,
  StunAttribute.RESPONSE_PORT,
]);
const KNOWN_WITH_CHANGE = new Set<number>([...KNOWN, StunAttribute.CHANGE_REQUEST]);

/**
 * Sources can be forged, so an answer must not be much larger than its request. Over IPv4 a Binding cannot be answered in less than
 * 1.6 times an empty request (32 bytes to 20), over IPv6 in less than 2.2 (44 bytes); what is only nice to have is left out beyond
 * this. A server with two addresses has to tell of both (RFC 5780 section 6.1): 2.8 times over IPv4. Over IPv6 both are more than
 * three times an empty request, and the origin, then the other address, is left out: a request that is longer gets them.
 */
const MAX_AMPLIFICATION = 1.6;

/** Of attributes, with their headers and padding. */
const FINGERPRINT_BYTES = 8;
const addressBytes = ({ address }: Endpoint): number => (address.includes(":") ? 24 : 12);
const textBytes = (text: string): number => 4 + ((Buffer.byteLength(text) + 3) & ~3);

/**
 * Answers Binding requests, without I/O and without state (RFC 8489 section 6.3, RFC 5780 section 6.1). `null` for
 * everything that gets no answer: what is no STUN, other methods, indications, responses, broken fingerprints.
 *
 * @param source where the request came from
 */
export function respondToStun(
  data: Uint8Array,
  source: Endpoint,
  local: StunLocal = {},
  options: StunResponderOptions = {},
): StunReply | null {
  if (!isStun(data) || source.port === 0) return null;
  const request = StunMessage.decode(data);
  if (request === null || request.class !== "request" || request.method !== StunMethod.BINDING) return null;
  if (request.fingerprintMatches() === false) return null;

  const { origin, other } = local;
  const canChangePort = other !== undefined || local.otherPort === true;
  const unknown = request.unknownRequired(canChangePort ? KNOWN_WITH_CHANGE : KNOWN);
  const change = request.uint32(StunAttribute.CHANGE_REQUEST) ?? 0;
  if (canChangePort && (change & CHANGE_IP) !== 0 && other === undefined) unknown.push(StunAttribute.CHANGE_REQUEST);
  if (unknown.length > 0) {
    return { data: refuse(request, unknown), changeAddress: false, changePort: false, port: source.port };
  }

  const builder = new StunBuilder(StunMethod.BINDING, "success", request.transactionId);
  builder.xorAddress(StunAttribute.XOR_MAPPED_ADDRESS, source);
  const changeAddress = (change & CHANGE_IP) !== 0;
  const changePort = (change & CHANGE_PORT) !== 0;
  const fingerprint = request.has(StunAttribute.FINGERPRINT) ? FINGERPRINT_BYTES : 0;
  const most = (other === undefined ? MAX_AMPLIFICATION : AMPLIFICATION_LIMIT) * data.length - fingerprint;
  const otherBytes = other === undefined ? 0 : addressBytes(other);
  if (origin !== undefined && builder.length + addressBytes(origin) + otherBytes <= most) {
    builder.address(StunAttribute.RESPONSE_ORIGIN, {
      address: changeAddress && other !== undefined ? other.address : origin.address,
      port: changePort && other !== undefined ? other.port : origin.port,
    });
  }
  if (other !== undefined && builder.length + otherBytes <= most) builder.address(StunAttribute.OTHER_ADDRESS, other);
  const { software = "" } = options;
  if (software !== "" && builder.length + textBytes(software) <= MAX_AMPLIFICATION * data.length - fingerprint)
    builder.text(StunAttribute.SOFTWARE, software);
  if (request.has(StunAttribute.FINGERPRINT)) builder.fingerprint();
  // Its value is a port and two bytes of padding. The address stays the source's, so that nobody else can be bothered.
  const responsePort = (request.uint32(StunAttribute.RESPONSE_PORT) ?? 0) >>> 16;
  return { data: builder.build(), changeAddress, changePort, port: responsePort === 0 ? source.port : responsePort };
}

/** Without a phrase, which is for people and would be more than half of the answer. */
function refuse(request: StunMessage, unknown: readonly number[]): Buffer {
  const builder = new StunBuilder(StunMethod.BINDING, "error", request.transactionId);
  builder.errorCode(StunErrorCode.UNKNOWN_ATTRIBUTE, "").unknownAttributes(unknown);
  if (request.has(StunAttribute.FINGERPRINT)) builder.fingerprint();
  return builder.build();
}
