import { type MapRequest, PortMapError } from "../types.ts";

/** A request with its defaults filled in. */
export type FullRequest = { [Key in keyof Required<MapRequest>]: NonNullable<MapRequest[Key]> } & { machine: string };

/** RFC 6886 section 3.3 recommends two hours. */
const DEFAULT_LIFETIME = 7200;
/** The longest lease that IGD:2 knows (WANIPConnection:2 section 2.3.16). */
const MAX_LIFETIME = 604_800;

/**
 * Checks a request and fills its defaults in.
 * @param machine seeds the alternative ports
 * @throws {PortMapError} `invalid`
 */
export function completeRequest(request: MapRequest, machine: string): FullRequest {
  const {
    internalPort,
    externalPort = internalPort,
    protocol,
    lifetimeSeconds = DEFAULT_LIFETIME,
    description = "Sallyport",
  } = request;
  for (const [name, port] of Object.entries({ internalPort, externalPort })) {
    if (!Number.isInteger(port) || port < 1 || port > 65535) {
      throw new PortMapError("invalid", `${name} must be a whole number from 1 to 65535, not ${port}`);
    }
  }
  if (protocol !== "udp" && protocol !== "tcp" && protocol !== "both") {
    throw new PortMapError("invalid", `protocol must be udp, tcp or both, not ${String(protocol)}`);
  }
  if (!Number.isInteger(lifetimeSeconds) || lifetimeSeconds < 0 || lifetimeSeconds > MAX_LIFETIME) {
    throw new PortMapError(
      "invalid",
      `lifetimeSeconds must be a whole number from 0 to ${MAX_LIFETIME}, not ${lifetimeSeconds}`,
    );
  }
  return {
    internalPort,
    externalPort,
    protocol,
    lifetimeSeconds,
    description,
    application: request.application ?? description,
    family: request.family ?? 4,
    acceptPrivateAddress: request.acceptPrivateAddress ?? false,
    machine,
  };
}
