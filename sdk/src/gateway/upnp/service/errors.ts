/** Names of the UPnP errors that gateways send: UPnP Device Architecture 2.0 section 3.2.2, WANIPConnection:2 section 2.5. */
const NAMES: Readonly<Record<number, string>> = {
  401: "InvalidAction",
  402: "InvalidArgs",
  403: "OutOfSync",
  501: "ActionFailed",
  600: "ArgumentValueInvalid",
  601: "ArgumentValueOutOfRange",
  602: "OptionalActionNotImplemented",
  603: "OutOfMemory",
  604: "HumanInterventionRequired",
  605: "StringArgumentTooLong",
  606: "ActionNotAuthorized",
  713: "SpecifiedArrayIndexInvalid",
  714: "NoSuchEntryInArray",
  715: "WildCardNotPermittedInSrcIP",
  716: "WildCardNotPermittedInExtPort",
  718: "ConflictInMappingEntry",
  724: "SamePortValuesRequired",
  725: "OnlyPermanentLeasesSupported",
  726: "RemoteHostOnlySupportsWildcard",
  727: "ExternalPortOnlySupportsWildcard",
  728: "NoPortMapsAvailable",
  729: "ConflictWithOtherMechanisms",
  730: "PortMappingNotFound",
  732: "WildCardNotPermittedInIntPort",
  733: "InconsistentParameters",
};

/** WANIPv6FirewallControl:1 section 2.4 gives 70x meanings of its own. */
const FIREWALL_NAMES: Readonly<Record<number, string>> = {
  701: "PinholeSpaceExhausted",
  702: "FirewallDisabled",
  703: "InboundPinholeNotAllowed",
  704: "NoSuchEntry",
  705: "ProtocolNotSupported",
  706: "InternalPortWildcardingNotAllowed",
  707: "ProtocolWildcardingNotAllowed",
  708: "InvalidLayer2Address",
  709: "NoPacketSent",
};

/** The specification's name of an error: the same number means something else in another service. */
export function upnpErrorName(serviceType: string, code: number): string {
  const names = serviceType.includes("WANIPv6FirewallControl") ? { ...NAMES, ...FIREWALL_NAMES } : NAMES;
  return names[code] ?? "UnknownError";
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
  /** An address that must not be asked: off-link, another host, another scheme. */
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
