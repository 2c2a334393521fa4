/** Where datagrams come from and go to. The family follows from the address. */
export interface Endpoint {
  /** An IPv4 or IPv6 address as text; never `::ffff:a.b.c.d` (see {@link normalizeAddress}). */
  address: string;
  /** 0-65535. */
  port: number;
}

/** Where nobody is: stands in for the peer of a path that has none just now. */
export const NOWHERE: Readonly<Endpoint> = { address: "", port: 0 };

const MAPPED_PREFIX = "::ffff:";

/**
 * Node reports an IPv4 peer of a dual-stack socket as `::ffff:a.b.c.d` (RFC 4291 section 2.5.5.2). Everything above the
 * socket knows that peer by its plain IPv4 address, so that one peer never has two names.
 */
export function normalizeAddress(address: string): string {
  return address.startsWith(MAPPED_PREFIX) && address.includes(".") ? address.slice(MAPPED_PREFIX.length) : address;
}

/** `a.b.c.d:port` or `[v6]:port`, as URLs and netcode's addresses write it. */
export function formatEndpoint({ address, port }: Endpoint): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Each address and port once, in the order of the list. */
export function uniqueEndpoints<E extends Endpoint>(endpoints: readonly E[]): E[] {
  const seen = new Set<string>();
  return endpoints.filter(({ address, port }) => {
    const key = `${address} ${port}`;
    return !seen.has(key) && seen.add(key);
  });
}
