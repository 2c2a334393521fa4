import { whyNotPublic } from "../external-address.ts";
import { GatewayError, type GatewayErrorKind, type PortRequest } from "../gateway.ts";
import type { GatewayInfo } from "../types.ts";
import { describePort } from "./entries.ts";
import { UpnpError, UpnpErrorCode } from "./service/errors.ts";

/** Ports below belong to well-known services: many routers let no program map them. */
const FIRST_UNPRIVILEGED_PORT = 1024;

/** What to do where a router fails and does not say why. */
export const TABLE_MAY_BE_FULL =
  "Its table of port mappings may be full: remove old entries in its settings, or restart it";

/** A UPnP error as a {@link GatewayError}; anything else as it is. */
export function explain(
  error: unknown,
  request: PortRequest | undefined,
  { name, externalAddress }: GatewayInfo,
): unknown {
  if (!(error instanceof UpnpError)) return error;
  const port = request ? describePort(request) : "the port";
  const { code, kind } = error;
  if (kind !== "fault") return toGatewayError(error, name);
  const fail = (as: GatewayErrorKind, message: string): GatewayError =>
    new GatewayError(as, message, { code, cause: error });
  switch (code) {
    case UpnpErrorCode.ConflictInMappingEntry:
      return fail("conflict", `the router says that ${port} is taken (${code})`);
    case UpnpErrorCode.ConflictWithOtherMechanisms:
      return fail(
        "conflict",
        `${port} is taken by another mechanism of the router (${code}), such as a manual port forwarding`,
      );
    case UpnpErrorCode.SamePortValuesRequired:
      return fail("same-port", `the router maps a port to the same number only (${code})`);
    case UpnpErrorCode.NoPortMapsAvailable:
    case UpnpErrorCode.OutOfMemory:
      return fail(
        "full",
        `the router's table of port mappings is full (${code}): remove old entries in its settings, or restart it`,
      );
    case UpnpErrorCode.OnlyPermanentLeasesSupported:
      return fail("refused", `the router refuses a permanent entry and every lease (${code}): ${BY_HAND}`);
    case UpnpErrorCode.ActionNotAuthorized:
    case UpnpErrorCode.OutOfSync:
      return isPrivileged(request)
        ? fail(
            "conflict",
            `the router does not let programs map ${port}: only ports from ${FIRST_UNPRIVILEGED_PORT} on (${code})`,
          )
        : fail(
            "forbidden",
            `the router does not let programs map ports, or not ${port} (${code}): allow it in the router's UPnP settings, ` +
              "where a range may be given, or let the game use a port of that range",
          );
    case UpnpErrorCode.WildCardNotPermittedInExtPort:
      return fail("conflict", `the router does not accept ${port} (${code})`);
    case UpnpErrorCode.InvalidArgs:
    case UpnpErrorCode.ActionFailed: {
      const why = whyNotPublic(externalAddress);
      if (why && code === UpnpErrorCode.ActionFailed) return fail("private", why);
      const how = code === UpnpErrorCode.InvalidArgs ? " with any lease or description" : "";
      return fail(
        "unexplained",
        `the router could not map ${port}${how} (${code}) and does not say why. ${TABLE_MAY_BE_FULL}`,
      );
    }
    default:
      return fail("refused", `the router refused: ${error.message}. ${capital(BY_HAND)}`);
  }
}

const BY_HAND = "forward the port by hand in its settings";

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function isPrivileged(request: PortRequest | undefined): boolean {
  return request !== undefined && Math.min(request.externalPort, request.internalPort) < FIRST_UNPRIVILEGED_PORT;
}

/** A failure that does not depend on what was asked. */
export function toGatewayError(error: unknown, name: string): unknown {
  if (!(error instanceof UpnpError)) return error;
  if (error.kind === "socket") return new GatewayError("unreachable", error.message, { cause: error });
  return new GatewayError("refused", `${name} answers, but not as UPnP demands: ${error.message}`, {
    code: error.code || undefined,
    cause: error,
  });
}
