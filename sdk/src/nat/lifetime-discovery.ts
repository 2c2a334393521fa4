import { traceOf } from "../net/trace.ts";
import { UDPSocket } from "../net/udp-socket.ts";
import { resolveStunServer } from "../stun/client.ts";
import { isLocalEndpoint } from "./behaviour-discovery.ts";
import { type NatLifetime, NatLifetimeProbe, type NatLifetimeProbeOptions } from "./lifetime.ts";

const trace = traceOf("nat");

/** Options of `natLifetime`. */
export interface NatLifetimeOptions extends Omit<NatLifetimeProbeOptions, "servers"> {
  /** Ends it early, with `aborted`. */
  signal?: AbortSignal;
  /** Local IPv4 address to ask from. Default: all. */
  address?: string;
  /** Called for each silence that was tried. */
  onSilence?: (waitMs: number, survived: boolean) => void;
}

/**
 * How long the NAT before this machine remembers a UDP mapping over which nothing goes; see {@link NatLifetimeProbe} for how
 * that is found out. It uses sockets of its own, so that no game is disturbed: at most nine at a time, a few dozen small
 * packets in all.
 *
 * Takes its time: about twice the lifetime where that is below a minute, else as long as the longest silence that is tried, by
 * default three minutes. Never rejects for what the network does.
 *
 * @param servers `host:port`, or URLs of RFC 7064; those that answer to another port (RFC 5780) tell most: coturn with two
 *   addresses does, and so does a lobby's own
 * @throws {RangeError} for `waitsMs` that are no times
 */
export async function natLifetime(servers: readonly string[], options: NatLifetimeOptions = {}): Promise<NatLifetime> {
  const { signal, address = "0.0.0.0", onSilence, ...probeOptions } = options;
  // NATs stand before IPv4; what forgets on IPv6 are firewalls.
  const reach = { canReach: (name: string) => !name.includes(":") };
  const resolved = await Promise.allSettled(servers.map((server) => resolveStunServer(server, reach, 4)));
  const addresses = resolved
    .flatMap((each) => (each.status === "fulfilled" ? [each.value] : []))
    .filter((each) => reach.canReach(each.address));
  const sockets = new Map<number, UDPSocket>();
  const result = Promise.withResolvers<NatLifetime>();
  let timer: NodeJS.Timeout | undefined;

  const probe: NatLifetimeProbe = new NatLifetimeProbe(
    { ...probeOptions, servers: addresses },
    {
      open: (id) => {
        // It must not keep the process alive for minutes.
        const socket = UDPSocket.tryOpen({ address })?.unref();
        if (socket === undefined) return null;
        sockets.set(id, socket);
        socket.onDatagram = (data, from, port) => {
          if (probe.receive(id, data, from, port, performance.now())) arm();
        };
        return socket.localPort;
      },
      send: (id, data, to) => void sockets.get(id)?.send(data, to.port, to.address),
      close: (id) => {
        void sockets.get(id)?.close();
        sockets.delete(id);
      },
      isLocal: (id, endpoint) => {
        const socket = sockets.get(id);
        return socket !== undefined && isLocalEndpoint(socket)(endpoint);
      },
      silence: (waitMs, survived) => {
        if (trace.on) trace.event("silence", { waitMs, survived });
        onSilence?.(waitMs, survived);
      },
      done: (lifetime) => {
        if (trace.on) trace.event("lifetime", { ...lifetime });
        result.resolve(lifetime);
      },
    },
  );
  const arm = (): void => {
    clearTimeout(timer);
    const next = probe.nextTimeout();
    if (next === null) return;
    timer = setTimeout(
      () => {
        probe.handleTimeout(performance.now());
        arm();
      },
      Math.max(0, Math.ceil(next - performance.now())),
    ).unref();
  };
  const stop = (): void => probe.stop();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    if (signal?.aborted === true) stop();
    else {
      probe.start(performance.now());
      arm();
    }
    return await result.promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
    for (const socket of sockets.values()) void socket.close();
  }
}
