import type { Finding, GatewayError } from "../gateway.ts";
import type { PortMapErrorKind } from "../types.ts";
import type { Grant } from "./establish.ts";

/** Why nothing was granted, all things considered. */
export class NoMappingError extends Error {
  readonly kind: PortMapErrorKind;
  readonly code: number | undefined;

  constructor(kind: PortMapErrorKind, message: string, code?: number) {
    super(message);
    this.kind = kind;
    this.code = code;
  }
}

const VERDICTS: readonly (readonly [GatewayError["kind"], PortMapErrorKind])[] = [
  ["private", "double-nat"],
  ["refused", "refused"],
  ["full", "refused"],
  ["same-port", "refused"],
  ["conflict", "conflict"],
  ["unreachable", "failed"],
];

export function verdict(failures: readonly GatewayError[], findings: readonly Finding[]): NoMappingError {
  for (const [kind, as] of VERDICTS) {
    const alike = failures.filter((each) => each.kind === kind);
    // Of several who say the same, the one who knows an address.
    const failure = alike.find(({ message }) => /\d\.\d/.test(message)) ?? alike[0];
    if (failure) return new NoMappingError(as, failure.message, failure.code);
  }
  const failed = findings.find(({ outcome }) => outcome === "failed" || outcome === "refused");
  if (failed) return new NoMappingError("failed", failed.reason, failed.code);
  return new NoMappingError(
    "no-gateway",
    "no router answered that maps ports: switch UPnP, NAT-PMP or PCP on on the router's page, or forward the port there by hand",
  );
}

/** A success in words. */
export function describeSuccess({ gateway, leases }: Grant): string {
  const [first] = leases;
  const transports = leases.map(({ transport }) => transport.toUpperCase()).join(" and ");
  return `${gateway.info.name} forwards ${transports} port ${first?.externalPort} of ${first?.externalAddress || "its external address"} to ${first?.internalAddress}:${first?.internalPort}`;
}
