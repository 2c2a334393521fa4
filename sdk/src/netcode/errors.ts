/** What a {@link NetcodeError} is about. */
export type NetcodeErrorCode =
  | "not-ready"
  | "invalid-key"
  | "invalid-option"
  | "invalid-address"
  | "invalid-addresses"
  | "invalid-user-data"
  | "invalid-timeout"
  | "invalid-expiry";

/** The caller asked for what netcode cannot do. Datagrams never cause it: they are dropped and counted. */
export class NetcodeError extends Error {
  override readonly name = "NetcodeError";
  /** Which mistake it is. */
  readonly code: NetcodeErrorCode;

  constructor(code: NetcodeErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
