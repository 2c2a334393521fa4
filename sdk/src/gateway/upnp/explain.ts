import { whyNotPublic } from "../external-address.ts";
import { GatewayError, type GatewayErrorKind, type PortMappingEntry, type PortRequest } from "../gateway.ts";
import type { GatewayInfo } from "../types.ts";
import { UpnpError } from "./service/errors.ts";

/** A UPnP error in the words of {@link GatewayError}. */
export function explain(
  error: unknown,
  wish: PortRequest | undefined,
  { name, externalAddress }: GatewayInfo,
): unknown {
  if (!(error instanceof UpnpError)) return error;
  const port = wish ? describePort(wish) : "the port";
  const { code, kind } = error;
  if (kind !== "fault") return toGatewayError(error, name);
  const fail = (as: GatewayErrorKind, message: string): GatewayError =>
    new GatewayError(as, message, { code, cause: error });
  switch (code) {
    case 718:
      return fail("conflict", `the router says that ${port} is taken (718)`);
    case 729:
      return fail(
        "conflict",
        `${port} is taken by another mechanism of the router (729), such as a manual port forwarding`,
      );
    case 724:
      return fail("same-port", "the router maps a port to the same number only (724)");
    case 728:
      return fail(
        "full",
        "the router's table of port mappings is full (728): remove old entries on its page, or restart it",
      );
    case 606:
    case 403:
      if (wish && (wish.externalPort < 1024 || wish.internalPort < 1024)) {
        return fail("conflict", `the router does not let programs map ${port}: only ports from 1024 on (${code})`);
      }
      return fail(
        "refused",
        `the router does not let programs map ports (${code}): allow it on the router's UPnP page`,
      );
    case 402:
    case 716:
      return fail("conflict", `the router does not accept ${port} (${code})`);
    case 501: {
      const why = whyNotPublic(externalAddress);
      if (why) return fail("private", why);
      return fail("conflict", `the router could not map ${port} (501) and does not say why`);
    }
    default:
      return fail("refused", `the router refused: ${error.message}`);
  }
}

/** Of what went wrong whatever was asked for. */
export function toGatewayError(error: unknown, name: string): unknown {
  if (!(error instanceof UpnpError)) return error;
  if (error.kind === "socket") return new GatewayError("unreachable", error.message, { cause: error });
  return new GatewayError("refused", `${name} answers, but not in UPnP's words: ${error.message}`, {
    code: error.code || undefined,
    cause: error,
  });
}

export function describePort({ externalPort, transport }: PortRequest): string {
  return `${transport.toUpperCase()} port ${externalPort}`;
}

export function describeOwner(entry: PortMappingEntry, own: string): string {
  const name = entry.description ? ` ("${entry.description.slice(0, 40)}")` : "";
  if (entry.internalClient === own) return `another program on this computer, at port ${entry.internalPort}${name}`;
  return `${entry.internalClient}:${entry.internalPort}${name}`;
}
