import { UpnpError } from "../service/errors.ts";

/** Godot's `UPNPResult`, with its numbers (`UPNP_RESULT_SUCCESS` is `UPNPResult.SUCCESS`). */
export const UPNPResult: {
  /** The command or the discovery succeeded. */
  readonly SUCCESS: 0;
  /** The router does not permit it; UPnP may be switched off there. */
  readonly NOT_AUTHORIZED: 1;
  /** There is no mapping for that port and protocol. */
  readonly PORT_MAPPING_NOT_FOUND: 2;
  /** Parameters contradict each other (733). */
  readonly INCONSISTENT_PARAMETERS: 3;
  /** There is no such entry; may be answered when a port and protocol are not mapped. */
  readonly NO_SUCH_ENTRY_IN_ARRAY: 4;
  /** The router could not do it (501). */
  readonly ACTION_FAILED: 5;
  /** The remote host may not be a wildcard (715). */
  readonly SRC_IP_WILDCARD_NOT_PERMITTED: 6;
  /** The external port may not be a wildcard (716). */
  readonly EXT_PORT_WILDCARD_NOT_PERMITTED: 7;
  /** The internal port may not be a wildcard (732). */
  readonly INT_PORT_WILDCARD_NOT_PERMITTED: 8;
  /** The remote host has to be a wildcard (726). */
  readonly REMOTE_HOST_MUST_BE_WILDCARD: 9;
  /** The external port has to be a wildcard (727). */
  readonly EXT_PORT_MUST_BE_WILDCARD: 10;
  /** The router's table is full, or it maps no ports. */
  readonly NO_PORT_MAPS_AVAILABLE: 11;
  /** Another way of mapping ports has it, such as PCP or the router's own page (729). */
  readonly CONFLICT_WITH_OTHER_MECHANISM: 12;
  /** The port belongs to somebody else. */
  readonly CONFLICT_WITH_OTHER_MAPPING: 13;
  /** External and internal port must be the same. */
  readonly SAME_PORT_VALUES_REQUIRED: 14;
  /** No duration can be given. */
  readonly ONLY_PERMANENT_LEASE_SUPPORTED: 15;
  /** The device is not a valid gateway. */
  readonly INVALID_GATEWAY: 16;
  /** A port outside 1-65535. */
  readonly INVALID_PORT: 17;
  /** Neither `UDP` nor `TCP`. */
  readonly INVALID_PROTOCOL: 18;
  /** A negative duration. */
  readonly INVALID_DURATION: 19;
  /** The router refuses the arguments (402). */
  readonly INVALID_ARGS: 20;
  /** The device's answer is not readable. */
  readonly INVALID_RESPONSE: 21;
  /** A parameter of `discover` out of its range. */
  readonly INVALID_PARAM: 22;
  /** No answer, or an HTTP error. */
  readonly HTTP_ERROR: 23;
  /** No socket for the search. */
  readonly SOCKET_ERROR: 24;
  /** Godot's alone: no memory. */
  readonly MEM_ALLOC_ERROR: 25;
  /** No gateway; `discover` may not have been called. */
  readonly NO_GATEWAY: 26;
  /** Nobody answered the search. */
  readonly NO_DEVICES: 27;
  /** Any other failure. */
  readonly UNKNOWN_ERROR: 28;
} = {
  SUCCESS: 0,
  NOT_AUTHORIZED: 1,
  PORT_MAPPING_NOT_FOUND: 2,
  INCONSISTENT_PARAMETERS: 3,
  NO_SUCH_ENTRY_IN_ARRAY: 4,
  ACTION_FAILED: 5,
  SRC_IP_WILDCARD_NOT_PERMITTED: 6,
  EXT_PORT_WILDCARD_NOT_PERMITTED: 7,
  INT_PORT_WILDCARD_NOT_PERMITTED: 8,
  REMOTE_HOST_MUST_BE_WILDCARD: 9,
  EXT_PORT_MUST_BE_WILDCARD: 10,
  NO_PORT_MAPS_AVAILABLE: 11,
  CONFLICT_WITH_OTHER_MECHANISM: 12,
  CONFLICT_WITH_OTHER_MAPPING: 13,
  SAME_PORT_VALUES_REQUIRED: 14,
  ONLY_PERMANENT_LEASE_SUPPORTED: 15,
  INVALID_GATEWAY: 16,
  INVALID_PORT: 17,
  INVALID_PROTOCOL: 18,
  INVALID_DURATION: 19,
  INVALID_ARGS: 20,
  INVALID_RESPONSE: 21,
  INVALID_PARAM: 22,
  HTTP_ERROR: 23,
  SOCKET_ERROR: 24,
  MEM_ALLOC_ERROR: 25,
  NO_GATEWAY: 26,
  NO_DEVICES: 27,
  UNKNOWN_ERROR: 28,
};

/** A value of {@link UPNPResult}, 0-28. */
export type UPNPResult = (typeof UPNPResult)[keyof typeof UPNPResult];

/** UPnP error codes as Godot counts them; 730, which Godot's own table lacks, is what its name says. */
const BY_CODE: ReadonlyMap<number, UPNPResult> = new Map<number, UPNPResult>([
  [402, UPNPResult.INVALID_ARGS],
  [403, UPNPResult.NOT_AUTHORIZED],
  [501, UPNPResult.ACTION_FAILED],
  [606, UPNPResult.NOT_AUTHORIZED],
  [714, UPNPResult.NO_SUCH_ENTRY_IN_ARRAY],
  [715, UPNPResult.SRC_IP_WILDCARD_NOT_PERMITTED],
  [716, UPNPResult.EXT_PORT_WILDCARD_NOT_PERMITTED],
  [718, UPNPResult.CONFLICT_WITH_OTHER_MAPPING],
  [724, UPNPResult.SAME_PORT_VALUES_REQUIRED],
  [725, UPNPResult.ONLY_PERMANENT_LEASE_SUPPORTED],
  [726, UPNPResult.REMOTE_HOST_MUST_BE_WILDCARD],
  [727, UPNPResult.EXT_PORT_MUST_BE_WILDCARD],
  [728, UPNPResult.NO_PORT_MAPS_AVAILABLE],
  [729, UPNPResult.CONFLICT_WITH_OTHER_MECHANISM],
  [730, UPNPResult.PORT_MAPPING_NOT_FOUND],
  [732, UPNPResult.INT_PORT_WILDCARD_NOT_PERMITTED],
  [733, UPNPResult.INCONSISTENT_PARAMETERS],
]);

/** What Godot answers to a UPnP error code. */
export function resultOfCode(code: number): UPNPResult {
  return BY_CODE.get(code) ?? UPNPResult.UNKNOWN_ERROR;
}

/** What Godot answers when a request failed with `error`. */
export function resultOfError(error: unknown): UPNPResult {
  if (!(error instanceof UpnpError)) return UPNPResult.UNKNOWN_ERROR;
  if (error.kind === "fault") return resultOfCode(error.code);
  if (error.kind === "response") return UPNPResult.INVALID_RESPONSE;
  return error.kind === "address" ? UPNPResult.UNKNOWN_ERROR : UPNPResult.HTTP_ERROR;
}
