import { addressFamily } from "../net/address.ts";
import { addressScope } from "../net/scope.ts";
import type { GatewayInfo } from "./types.ts";

/** Why nobody on the internet can reach an external address, in words for the person who hosts; `undefined` if they can. */
export function whyNotPublic(address: string): string | undefined {
  const scope = addressScope(address);
  if (scope === "public") return undefined;
  if (isUnsaid(address)) {
    return (
      "the router tells no external address: it is not connected to the internet, or stands behind another NAT (double NAT). " +
      "Check its modem, or put one of the two routers into bridge mode"
    );
  }
  if (scope === "carrier-grade") {
    return (
      `the router's external address ${address} belongs to the provider's carrier-grade NAT: nobody outside can reach it. ` +
      "Ask the provider for a public IPv4 address, or use IPv6"
    );
  }
  return (
    `the router's external address ${address} is private: another NAT stands before it (double NAT). ` +
    "Put one of the two routers into bridge mode, or forward the port on the outer one too"
  );
}

/** Whether the router tells no address that it could have: none, one of no host, or its own loopback. */
export function isUnsaid(address: string): boolean {
  const scope = addressScope(address);
  return scope === "invalid" || scope === "loopback" || !isAssigned(address);
}

/** Whether a mapping at this gateway would lead nowhere. PCP tells its external address only with a mapping. */
export function isKnownToBePrivate({ via, externalAddress }: GatewayInfo): boolean {
  return !(via === "pcp" && externalAddress === "") && whyNotPublic(externalAddress) !== undefined;
}

/** An address that a host can have: not unspecified, broadcast or multicast. */
function isAssigned(address: string): boolean {
  if (addressFamily(address) !== 4) return address !== "::" && !address.toLowerCase().startsWith("ff");
  const first = Number(address.slice(0, address.indexOf(".")));
  return first !== 0 && first < 224;
}
