import { withoutZone } from "../../../net/address.ts";
import { UpnpError } from "./errors.ts";

/**
 * `location` at the device that answered, `responder`, and nowhere else: the URL comes from an unauthenticated datagram, so
 * only its port and path are believed, never its host. This also helps with routers that name another of their addresses,
 * or a host name that only they resolve.
 */
export function pinUrl(location: string, responder: string, base?: URL): URL {
  let url: URL;
  try {
    url = new URL(location, base);
  } catch {
    throw new UpnpError("address", `the router names no usable address: ${JSON.stringify(location.slice(0, 80))}`);
  }
  if (url.protocol !== "http:") {
    throw new UpnpError("address", `the router names an address of the scheme ${url.protocol}, only http: is asked`);
  }
  const bare = withoutZone(responder);
  return new URL(`http://${bare.includes(":") ? `[${bare}]` : bare}:${url.port || "80"}${url.pathname}${url.search}`);
}
