/** A player's way to a host. */
import { ColyseusSDK, type Room } from "@colyseus/sdk";
import { parseInvite, resolveInvite } from "sallyport/rendezvous";
import { Failure } from "../cli/program.ts";

export interface Joined {
  room: Room;
  /** `direct`, `punched`, `relayed` or `websocket`, as it is now. */
  path(): string;
  /** The other side's address, as it is now. */
  remote(): string;
  /** Changes to a better path so far. */
  upgrades(): number;
  leave(): Promise<void>;
}

export interface JoinOptions {
  lobby: string;
  name: string;
  signal: AbortSignal;
}

/** For each of the host's endpoints. */
const ATTEMPT_MS = 3000;

/** TODO(sallyport/client): SallyportClient. Until then WebSocket, the endpoints in turn. */
export async function joinGame(target: string, { lobby, name, signal }: JoinOptions): Promise<Joined> {
  const endpoints = await endpointsOf(target, lobby, signal);
  const reasons: string[] = [];
  for (const endpoint of endpoints) {
    const attempt = AbortSignal.any([signal, AbortSignal.timeout(ATTEMPT_MS)]);
    const sdk = new ColyseusSDK(endpoint, { fetchFn: (url, init) => fetch(url, { ...init, signal: attempt }) });
    try {
      const room = await sdk.joinOrCreate<unknown>("arena", { name });
      return {
        room,
        path: () => "websocket",
        remote: () => new URL(endpoint).host,
        upgrades: () => 0,
        leave: () => leave(room),
      };
    } catch (error) {
      if (signal.aborted) throw error;
      reasons.push(`${endpoint}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Failure(`The host cannot be reached. ${reasons.join("; ")}. Is it still running?`);
}

async function endpointsOf(target: string, lobby: string, signal: AbortSignal): Promise<string[]> {
  if (parseInvite(target) === undefined && /^https?:\/\//.test(target)) return [target];
  const { endpoints } = await resolveInvite(target, { lobby, signal });
  if (endpoints.length === 0) throw new Failure("The host has no address yet. Try again in a moment.");
  return endpoints;
}

/** Says goodbye, and does not wait long for the answer. */
async function leave(room: Room): Promise<void> {
  if (!room.connection.isOpen) return;
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => resolve(), 1000);
  await Promise.race([room.leave(), late]);
  clearTimeout(timer);
}
