import type { Finding, GatewayError, GatewayErrorKind } from "../gateway.ts";
import type { PortMapErrorKind } from "../types.ts";

/** Why no gateway granted a request, all refusals considered. */
export class NoMappingError extends Error {
  readonly kind: PortMapErrorKind;
  readonly code: number | undefined;
  override name = "NoMappingError";

  constructor(kind: PortMapErrorKind, message: string, code?: number) {
    super(message);
    this.kind = kind;
    this.code = code;
  }
}

/** What of several refusals tells the person who hosts most, first. */
const BY_WEIGHT: readonly (readonly [GatewayErrorKind, PortMapErrorKind])[] = [
  ["private", "double-nat"],
  ["forbidden", "refused"],
  ["refused", "refused"],
  ["full", "refused"],
  ["same-port", "refused"],
  ["unexplained", "conflict"],
  ["conflict", "conflict"],
  ["unreachable", "failed"],
];

/** Makes one error of everything that gateways and the search said. */
export function noMapping(failures: readonly GatewayError[], findings: readonly Finding[]): NoMappingError {
  for (const [kind, as] of BY_WEIGHT) {
    const alike = failures.filter((each) => each.kind === kind);
    // Of several that say the same, the one that names an address.
    const failure = alike.find(({ message }) => /\d\.\d/.test(message)) ?? alike[0];
    if (failure) return new NoMappingError(as, failure.message, failure.code);
  }
  const failed = findings.find(({ outcome }) => outcome === "failed" || outcome === "refused");
  if (failed) return new NoMappingError("failed", failed.reason, failed.code);
  return new NoMappingError(
    "no-gateway",
    "no router answered that maps ports: enable UPnP, NAT-PMP or PCP in the router's settings, or forward the port there by hand",
  );
}
