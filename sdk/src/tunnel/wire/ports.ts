/** The ports that a host shares, and how people write them. */

/** What carries a port. */
export type TransportProtocol = "udp" | "tcp";

/** One port of the host's local program. */
export interface TunnelPort {
  /** 1-65535. */
  readonly port: number;
  /** Over which it is shared. */
  readonly protocol: TransportProtocol;
}

/** `7777` shares both protocols; `"7777/udp"` and `"7777/tcp"` share one. */
export type SharedPort = number | string | TunnelPort;

/** Ports that one host shares, each protocol counted. */
export const MAX_PORTS = 64;

/** @throws RangeError for what is no port, and for more than {@link MAX_PORTS} */
export function parsePorts(ports: readonly SharedPort[]): TunnelPort[] {
  const parsed = ports.flatMap(parsePort);
  const unique = parsed.filter(
    ({ port, protocol }, i) => parsed.findIndex((each) => each.port === port && each.protocol === protocol) === i,
  );
  if (unique.length === 0) throw new RangeError("No port is named. A port is a number, such as 7777.");
  if (unique.length > MAX_PORTS)
    throw new RangeError(`At most ${MAX_PORTS} ports are shared at once, not ${unique.length}.`);
  return unique;
}

function parsePort(shared: SharedPort): TunnelPort[] {
  const text = typeof shared === "object" ? formatPort(shared) : String(shared);
  const [, digits = "", suffix] = /^(\d{1,5})(?:\/(udp|tcp))?$/.exec(text) ?? [];
  const port = Number(digits);
  if (!(port >= 1 && port <= 65535)) {
    throw new RangeError(`"${text.slice(0, 40)}" is no port. One looks like 7777, 7777/udp or 7777/tcp.`);
  }
  return suffix === undefined
    ? [
        { port, protocol: "udp" },
        { port, protocol: "tcp" },
      ]
    : [{ port, protocol: suffix as TransportProtocol }];
}

/** `7777/udp` */
export function formatPort({ port, protocol }: TunnelPort): string {
  return `${port}/${protocol}`;
}
