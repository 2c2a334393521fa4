import { checkLimits } from "./check-limits.ts";

/**
 * What strangers may take on their way into a game. An address is an IPv4 address or an IPv6 /64; the networks around it pass for
 * several: an IPv4 /24 and an IPv6 /48 for 16 addresses, an IPv6 /32 for 64. A player who was introduced by an invite is counted by
 * itself, with an eighth of an address' share. Those of a reverse proxy on this machine, and with `trustProxy` on a private address,
 * are no address: only what holds for all limits them. `Infinity` is no limit.
 */
export interface AdmissionLimits {
  /**
   * Requests for seats, connect tokens and WebRTC answers of one address in ten seconds, after as many at once. Beyond it the answer is
   * 429 with `Retry-After`, and a Sallyport client waits and asks again. Default 600.
   */
  requestsPerAddress?: number;
  /** The same of all together; addresses that have hardly asked get in beyond it. Default 10 000. */
  requests?: number;
  /**
   * Requests without a seat for a connect token or a WebRTC answer, of one address in ten seconds; then 429 instead of 404. Those with a
   * seat, and reconnections, do not count and are not held up. Default 20.
   */
  guessesPerAddress?: number;
  /**
   * Seats of one address that nobody has taken yet. A seat that is taken counts no longer; one that never is counts until it is forgiven,
   * one in four seconds. Default 96: a school of sixty comes back at once.
   */
  seatsPerAddress?: number;
  /** The same of all together. Beyond it a network (IPv4 /24, IPv6 /32) without such a seat still gets one, up to twice as many. Default 512. */
  seats?: number;
  /** Rooms that one address has had made and that still exist. Beyond it players join the rooms that are there. Default 64. */
  roomsPerAddress?: number;
  /** Rooms that players have had made and that nobody is in. Default 512. */
  emptyRooms?: number;
  /** Players of one address in rooms of this process, over UDP, WebRTC and WebSocket. Default 128. */
  playersPerAddress?: number;
  /** Connect tokens for one seat at once; then one in two seconds. Each replaces the one before. Default 4. */
  tokensPerSeat?: number;
  /** Browsers that are on their way in over WebRTC. When there are more, the oldest of the address that has most gives way. Default 128. */
  webRTCOffers?: number;
}

export const ADMISSION_LIMITS: Required<AdmissionLimits> = {
  requestsPerAddress: 600,
  requests: 10_000,
  guessesPerAddress: 20,
  seatsPerAddress: 96,
  seats: 512,
  roomsPerAddress: 64,
  emptyRooms: 512,
  playersPerAddress: 128,
  tokensPerSeat: 4,
  webRTCOffers: 128,
};

/**
 * Fills in the defaults. A number without end becomes one that no bucket reaches, since buckets calculate with it.
 * @throws RangeError for a limit that is no number above 0
 */
export function completeAdmissionLimits(limits: AdmissionLimits = {}): Required<AdmissionLimits> {
  checkLimits(limits);
  const complete = { ...ADMISSION_LIMITS };
  for (const name of Object.keys(complete) as (keyof AdmissionLimits)[]) {
    complete[name] = Math.min(limits[name] ?? complete[name], Number.MAX_SAFE_INTEGER);
  }
  return complete;
}
