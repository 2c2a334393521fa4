import { addressFamily } from "../../../net/address.ts";
import { addressScope } from "../../../net/scope.ts";
import { AMPLIFICATION_LIMIT } from "../../../net/unproven-address.ts";

/** What a browser's offer says, as far as it matters for data channels (RFC 8829, RFC 8841). */
export interface Offer {
  mid: string;
  /** RFC 8839 section 5.4. */
  iceUfrag: string;
  icePwd: string;
  /** SHA-256 of the browser's certificate, in hex with colons (RFC 8122). */
  fingerprint: string;
  sctpPort: number;
  maxMessageSize: number;
  candidates: OfferedCandidate[];
  /** Length of the SDP. */
  bytes: number;
}

export interface OfferedCandidate {
  type: "host" | "srflx" | "prflx" | "relay";
  priority: number;
  address: string;
  port: number;
}

const MAX_LINES = 200;
const MAX_CANDIDATES = 32;
const MEDIA: RegExp = /^m=application \d+ (?:UDP|TCP)\/DTLS\/SCTP webrtc-datachannel$/;
const CANDIDATE: RegExp =
  /^a=candidate:[\w+/]{1,32} 1 udp (\d{1,10}) ([\da-f.:]{2,45}) (\d{1,5}) typ (host|srflx|prflx|relay)\b/i;

/**
 * Reads an offer. Only what is understood is taken over, into an SDP of our own making: what a stranger writes never reaches the
 * native parser.
 * @returns null for anything but an offer of data channels alone, with a SHA-256 fingerprint
 */
export function parseOffer(sdp: string): Offer | null {
  const lines = sdp.split(/\r?\n/, MAX_LINES + 1);
  if (lines.length > MAX_LINES) return null;
  const media = lines.filter((line) => line.startsWith("m="));
  if (lines[0] !== "v=0" || media.length !== 1 || !MEDIA.test(media[0] ?? "")) return null;
  const value = (pattern: RegExp): string | undefined => {
    for (const line of lines) {
      const found = pattern.exec(line)?.[1];
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const mid = value(/^a=mid:([\w-]{1,32})$/);
  const iceUfrag = value(/^a=ice-ufrag:([\w+/]{4,256})$/);
  const icePwd = value(/^a=ice-pwd:([\w+/]{22,256})$/);
  const fingerprint = value(/^a=fingerprint:sha-256 ((?:[\da-f]{2}:){31}[\da-f]{2})$/i);
  const sctpPort = Number(value(/^a=sctp-port:(\d{1,5})$/));
  // RFC 8841 section 6.1: 64 KiB where nothing is said, 0 for any.
  const maxMessageSize = Number(value(/^a=max-message-size:(\d{1,10})$/) ?? 65_536);
  if (!mid || !iceUfrag || !icePwd || !fingerprint || !(sctpPort > 0 && sctpPort <= 0xffff)) return null;
  const candidates: OfferedCandidate[] = [];
  for (const line of lines) {
    const [, priority, address = "", port, type] = CANDIDATE.exec(line) ?? [];
    // A name (mDNS, RFC 8828's way of hiding addresses) would have to be looked up: at whose behest?
    if (addressFamily(address) === 0 || !isPort(Number(port)) || candidates.length === MAX_CANDIDATES) continue;
    candidates.push({
      type: (type ?? "host").toLowerCase() as OfferedCandidate["type"],
      priority: Number(priority) >>> 0,
      address,
      port: Number(port),
    });
  }
  return { mid, iceUfrag, icePwd, fingerprint, sctpPort, maxMessageSize, candidates, bytes: Buffer.byteLength(sdp) };
}

const isPort = (port: number): boolean => port > 0 && port <= 0xffff;

/** Of those that may be sent to, so many are: each costs us some packets that a stranger asked for. */
const MAX_TRIED = 4;
/** libjuice's checks to one address within the 10 s that an offer is good for: at 0, 0.5, 1.5, 3.5 and 7.5 s. */
const CHECKS = 5;
/** Of one, without the name that the browser has chosen for itself. */
const CHECK_BYTES = 100;

/**
 * Which of a browser's candidates we send checks to of our own accord. It reaches us by itself where our port is open or mapped, and
 * is answered wherever it comes from; sending too helps where a firewall of ours wants us to be first. Public addresses may be
 * named, and the one that asked; what else a stranger names might be a machine in our own house.
 * @param asker the address that the request came from
 */
export function triedCandidates(
  { candidates, iceUfrag, bytes }: Pick<Offer, "candidates" | "iceUfrag" | "bytes">,
  asker: string,
): OfferedCandidate[] {
  // A short offer earns fewer: three bytes for one (RFC 9000 section 8).
  const earned = Math.floor((AMPLIFICATION_LIMIT * bytes) / (CHECKS * (CHECK_BYTES + iceUfrag.length)));
  return candidates
    .filter(({ address }) => address === asker || addressScope(address) === "public")
    .slice(0, Math.min(MAX_TRIED, earned));
}

/** An SDP that says the same, and nothing else. */
export function formatOffer({
  mid,
  iceUfrag,
  icePwd,
  fingerprint,
  sctpPort,
  maxMessageSize,
  candidates,
}: Offer): string {
  return [
    "v=0",
    "o=- 0 0 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    `a=group:BUNDLE ${mid}`,
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 0.0.0.0",
    `a=ice-ufrag:${iceUfrag}`,
    `a=ice-pwd:${icePwd}`,
    `a=fingerprint:sha-256 ${fingerprint}`,
    "a=setup:actpass",
    `a=mid:${mid}`,
    `a=sctp-port:${sctpPort}`,
    `a=max-message-size:${maxMessageSize}`,
    ...candidates.map(
      ({ type, priority, address, port }, i) =>
        `a=candidate:${i + 1} 1 UDP ${priority} ${address} ${port} typ ${type}${type === "host" ? "" : " raddr 0.0.0.0 rport 0"}`,
    ),
    "a=end-of-candidates",
    "",
  ].join("\r\n");
}
