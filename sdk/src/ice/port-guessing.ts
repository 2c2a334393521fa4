import { randomBytes } from "node:crypto";
import type { Endpoint } from "../net/endpoint.ts";
import { addressScope } from "../net/scope.ts";
import { UDPSocket } from "../net/udp-socket.ts";
import { type GuessingLimits, PROCESS_GUESSING } from "./guessing-limits.ts";
import type { IceMux } from "./mux.ts";
import type { IcePeer } from "./peer.ts";
import { GuessPlan, guessingSide, type NatView } from "./port-prediction.ts";
import { isSocket, SOCKET } from "./via.ts";

export interface PortGuessingOptions {
  /** How our translator behaves, and the peer's, as it was signalled. */
  ours: NatView;
  theirs: NatView;
  /** The peer's reflexive addresses: what the opener sends to, and whose ports the prober tries. Public ones count. */
  remote: readonly Endpoint[];
  /** The peer's ports as {@link predictPorts} foresees them. */
  predicted?: readonly number[];
  /** Default 256 and at most that. */
  sockets?: number;
  /** Default 1024 and at most that. */
  probes?: number;
  /** Milliseconds between two packets. Default 10. */
  intervalMs?: number;
  /** Milliseconds after which the round is over. Default 20 000. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Default: the process's. */
  limits?: GuessingLimits;
}

const DEFAULT_TIMEOUT_MS = 20_000;

let rounds = 0;

/**
 * Guesses ports for one peer, in the background while packets go over a relay; both sides must do so at the same time.
 * Some twelve seconds, at a hundred packets a second. There is one round at a time in a process, and no more than 256 sockets in all.
 * Packets go to addresses at which the peer has answered, over a relay say; to others only as the peer's budget allows.
 *
 * @returns whether a direct way was found; false at once while another round is on. What the opener's way goes over is kept until the
 * peer closes.
 */
export async function guessPorts(mux: IceMux, peer: IcePeer, options: PortGuessingOptions): Promise<boolean> {
  const { ours, theirs, timeoutMs = DEFAULT_TIMEOUT_MS, signal, limits = PROCESS_GUESSING } = options;
  const side = guessingSide(ours, theirs);
  const targets = options.remote.filter(({ address }) => addressScope(address) === "public");
  const first = targets[0];
  if (side === null || first === undefined || !limits.begin()) return false;
  const round = ++rounds;
  const sockets: UDPSocket[] = [];
  const nameOf = (index: number): string => (side === "prober" ? SOCKET : `socket:${round}.${index}`);
  const sizes = { ...options, random: randomBytes };
  const plan =
    side === "opener"
      ? GuessPlan.open(targets, performance.now(), sizes)
      : GuessPlan.probe(first.address, options.predicted ?? [], performance.now(), sizes);

  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const isDone = (): boolean =>
    peer.state === "closed" || (peer.path !== null && peer.path.kind !== "relayed") || signal?.aborted === true;
  const tick = setInterval(() => {
    if (isDone()) end();
    const guess = plan.take(performance.now());
    if (guess === null) return;
    if (side === "opener" && guess.socket >= sockets.length) {
      // Fewer sockets are a smaller chance, no more.
      const socket = openSocket(first.address, limits);
      if (socket === undefined) return;
      mux.addSocket(nameOf(sockets.push(socket) - 1), socket);
    }
    peer.knock(nameOf(Math.min(guess.socket, Math.max(0, sockets.length - 1))), guess.to.address, guess.to.port);
  }, options.intervalMs ?? 10).unref();
  const limit = setTimeout(end, timeoutMs).unref();
  try {
    if (!isDone()) await over;
  } finally {
    clearInterval(tick);
    clearTimeout(limit);
    limits.end();
    const { path } = peer;
    const used = path !== null && isSocket(path.via) ? path.via : null;
    for (const [index, socket] of sockets.entries()) {
      const release = (): void => {
        mux.removeBase(nameOf(index));
        limits.releaseSocket();
        void socket.close();
      };
      if (nameOf(index) === used) peer.onceClosed(release);
      else release();
    }
  }
  return peer.path !== null && peer.path.kind !== "relayed";
}

function openSocket(remote: string, limits: GuessingLimits): UDPSocket | undefined {
  if (!limits.takeSocket()) return undefined;
  const socket = UDPSocket.tryOpen({ address: remote.includes(":") ? "::" : "0.0.0.0" })?.unref();
  if (socket === undefined) limits.releaseSocket();
  return socket;
}
