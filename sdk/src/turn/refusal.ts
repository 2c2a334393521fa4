import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import { StunAttribute as A, StunErrorCode as Code } from "../stun/constants.ts";
import type { StunMessage } from "../stun/message.ts";
import { turnCredentialsExpiry } from "./credentials.ts";
import { TurnError, type TurnFailure } from "./errors.ts";
import type { TurnAsk } from "./request.ts";

/** The server wants us to ask another (RFC 8489 section 10). */
export class TurnRedirect extends TurnError {
  override readonly name: string = "TurnRedirect";
  /** The server to ask instead. */
  readonly alternate: Endpoint;
  /** ALTERNATE-DOMAIN: whose certificate the alternate shows over TLS, where not the first server's. */
  readonly domain: string | undefined;

  constructor(server: Endpoint, alternate: Endpoint, domain: string | undefined) {
    const message = `The TURN server ${formatEndpoint(server)} sends its clients to ${formatEndpoint(alternate)}.`;
    super("redirected", message, { stunCode: Code.TRY_ALTERNATE });
    this.alternate = alternate;
    this.domain = domain;
  }
}

const ADVICE: ReadonlyMap<number, string> = new Map([
  [Code.UNAUTHENTICATED, "username and credential are wrong, or have expired: get fresh ones"],
  [Code.WRONG_CREDENTIALS, "username and credential are not those that the allocation was made with"],
  [Code.FORBIDDEN, "its administrator does not allow this"],
  [Code.ALLOCATION_MISMATCH, "it does not know the allocation, or has another for this socket: use another port"],
  [Code.ADDRESS_FAMILY_NOT_SUPPORTED, "it has no relayed addresses of this family"],
  [Code.UNSUPPORTED_TRANSPORT_PROTOCOL, "it does not relay UDP"],
  [Code.PEER_ADDRESS_FAMILY_MISMATCH, "the peer's address is of another family than the relayed one"],
  [Code.ALLOCATION_QUOTA_REACHED, "this user has as many relayed addresses as allowed: try later"],
  [Code.INSUFFICIENT_CAPACITY, "it has no relayed address left: try later, or another server"],
  [Code.STALE_NONCE, "it did not accept its own nonce: its clock or its configuration may be broken"],
]);

const ASKED: Readonly<Record<TurnAsk["kind"], string>> = {
  allocate: "give a relayed address",
  refresh: "keep the relayed address",
  release: "give up the relayed address",
  permission: "let a peer in",
  channel: "bind a channel",
};

/**
 * What an error response means, in words that a person can act upon.
 * @param username of the credentials that were refused; it may say until when they are good
 */
export function describeRefusal(
  server: Endpoint,
  ask: TurnAsk,
  response: StunMessage,
  code: number,
  username = "",
): TurnError {
  if (code === Code.TRY_ALTERNATE && ask.kind === "allocate") {
    const alternate = response.address(A.ALTERNATE_SERVER);
    const sameFamily = alternate?.address.includes(":") === server.address.includes(":");
    if (alternate !== null && alternate.port > 0 && sameFamily) {
      return new TurnRedirect(server, alternate, response.text(A.ALTERNATE_DOMAIN));
    }
  }
  // The reason is the server's; it must not write over a terminal.
  const reason = (response.errorCode()?.reason ?? "").replace(/[^ -~]/g, "").slice(0, 128);
  const clocks = code === Code.UNAUTHENTICATED ? adviceOfClocks(username, Date.now()) : undefined;
  const advice = clocks ?? ADVICE.get(code);
  const subject = ask.kind === "permission" ? ask.permission.address : ask.kind === "channel" ? ask.peer.address : "";
  const what = `The TURN server ${formatEndpoint(server)} refused to ${ASKED[ask.kind]}${subject === "" ? "" : ` (${subject})`}`;
  const message = `${what}: ${code}${reason === "" ? "" : ` ${reason}`}${advice === undefined ? "" : `: ${advice}`}.`;
  return new TurnError(failureOf(code, ask), message, { stunCode: code });
}

/**
 * A server refuses short-lived credentials alike for a wrong secret and for their time. Two of three clocks can be compared here: the
 * one that made them, and this computer's.
 */
function adviceOfClocks(username: string, unixNow: number): string | undefined {
  const expiry = turnCredentialsExpiry(username);
  // A number that is no time of our days is a name.
  if (expiry === null || expiry < 1e9) return undefined;
  const [until, now] = [expiry * 1000, unixNow].map((ms) => new Date(ms).toISOString().replace(/:\d\d\.\d+Z$/, "Z"));
  return expiry * 1000 > unixNow
    ? `its credentials are good until ${until}, and this computer's clock says ${now}: the TURN server's clock is ahead, or its secret is another`
    : `its credentials ended at ${until}, and this computer's clock says ${now}: the clock of the lobby that made them is behind, or fresh ones are needed`;
}

function failureOf(code: number, ask: TurnAsk): TurnFailure {
  if (code === Code.UNAUTHENTICATED || code === Code.WRONG_CREDENTIALS) return "unauthorized";
  if (code === Code.ALLOCATION_MISMATCH && ask.kind !== "allocate") return "expired";
  return code === 0 ? "malformed" : "refused";
}
