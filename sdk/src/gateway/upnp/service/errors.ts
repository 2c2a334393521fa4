/** Codes of the UPnP errors that gateways send: UPnP Device Architecture 2.0 section 3.2.2, WANIPConnection:2 section 2.5. */
export const UpnpErrorCode = {
  InvalidAction: 401,
  InvalidArgs: 402,
  OutOfSync: 403,
  ActionFailed: 501,
  ArgumentValueInvalid: 600,
  ArgumentValueOutOfRange: 601,
  OptionalActionNotImplemented: 602,
  OutOfMemory: 603,
  HumanInterventionRequired: 604,
  StringArgumentTooLong: 605,
  ActionNotAuthorized: 606,
  SpecifiedArrayIndexInvalid: 713,
  NoSuchEntryInArray: 714,
  WildCardNotPermittedInSrcIP: 715,
  WildCardNotPermittedInExtPort: 716,
  ConflictInMappingEntry: 718,
  SamePortValuesRequired: 724,
  OnlyPermanentLeasesSupported: 725,
  RemoteHostOnlySupportsWildcard: 726,
  ExternalPortOnlySupportsWildcard: 727,
  NoPortMapsAvailable: 728,
  ConflictWithOtherMechanisms: 729,
  PortMappingNotFound: 730,
  WildCardNotPermittedInIntPort: 732,
  InconsistentParameters: 733,
} as const;

/** WANIPv6FirewallControl:1 section 2.4 gives its own meanings to 70x. */
export const FirewallErrorCode = {
  PinholeSpaceExhausted: 701,
  FirewallDisabled: 702,
  InboundPinholeNotAllowed: 703,
  NoSuchEntry: 704,
  ProtocolNotSupported: 705,
  InternalPortWildcardingNotAllowed: 706,
  ProtocolWildcardingNotAllowed: 707,
  InvalidLayer2Address: 708,
  NoPacketSent: 709,
} as const;

const nameByCode = (codes: Readonly<Record<string, number>>): Map<number, string> =>
  new Map(Object.entries(codes).map(([name, code]) => [code, name]));
const NAMES = nameByCode(UpnpErrorCode);
const FIREWALL_NAMES = nameByCode(FirewallErrorCode);

/** The specification's name of an error: the same number means something else in another service. */
export function upnpErrorName(serviceType: string, code: number): string {
  const special = serviceType.includes("WANIPv6FirewallControl") ? FIREWALL_NAMES.get(code) : undefined;
  return special ?? NAMES.get(code) ?? "UnknownError";
}

export type UpnpErrorKind =
  /** The device answered with a UPnP error: `code` is its number. */
  | "fault"
  /** HTTP said something other than 200, or nothing usable. */
  | "http"
  /** The answer is not what the action answers. */
  | "response"
  /** No connection, or none in time. */
  | "socket"
  /** A URL that must not be asked: off-link, another host, another scheme. */
  | "address";

/** A UPnP request that failed. */
export class UpnpError extends Error {
  readonly kind: UpnpErrorKind;
  /** The UPnP error code of a fault, the HTTP status of `http`, else 0. */
  readonly code: number;
  readonly serviceType: string;
  override name = "UpnpError";

  constructor(
    kind: UpnpErrorKind,
    message: string,
    { code = 0, serviceType = "", cause }: { code?: number; serviceType?: string; cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.code = code;
    this.serviceType = serviceType;
  }
}
