/** Reachability as the URLs that players try, best first. */
import type { Reachability } from "sallyport";

const LOOPBACK: RegExp = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** UDP and TCP share a port number, so that one URL stands for both. */
export function endpointUrls({ endpoints }: Reachability, port: number, lobby?: string): string[] {
  const urls = endpoints
    .filter(({ address, kind }) => address !== "" && kind !== "reflexive")
    .map((endpoint) => urlOf(endpoint.address, endpoint.port));
  // A lobby on this very machine has players on it too, perhaps without any network.
  if (lobby !== undefined && isLoopback(lobby)) urls.push(urlOf("127.0.0.1", port));
  return [...new Set(urls)];
}

export function isLoopback(url: string): boolean {
  return LOOPBACK.test(new URL(url).hostname);
}

function urlOf(address: string, port: number): string {
  return `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
}
