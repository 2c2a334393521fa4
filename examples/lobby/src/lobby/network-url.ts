import { networkInterfaces } from "node:os";

/**
 * The URL by which others on this network reach a port of this computer.
 * @param host the address that is listened on; undefined: all of them
 */
export function networkUrl(port: number, host: string | undefined): string | undefined {
  const addresses = Object.values(networkInterfaces()).flat();
  const own = addresses.find((each) => each?.family === "IPv4" && !each.internal);
  if (host === undefined || host === "::" || host === "0.0.0.0") return own && `http://${own.address}:${port}/`;
  const isOthers = addresses.some((each) => each?.address === host && !each.internal);
  return isOthers ? `http://${host.includes(":") ? `[${host}]` : host}:${port}/` : undefined;
}
