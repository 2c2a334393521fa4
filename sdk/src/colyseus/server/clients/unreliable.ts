import { type Client, type ClientArray, ClientState, getMessageBytes, Protocol } from "@colyseus/core";

/** The messages of a client type: `Client<{ messages: { move: { x: number } } }>`. */
type MessagesOf<C extends Client> = C["~messages"];
/** Optional where the type allows nothing to be sent. */
type MessageOf<M> = unknown extends M ? [message?: M] : undefined extends M ? [message?: M] : [message: M];

/** Options of `broadcastUnreliable`. */
export interface BroadcastUnreliableOptions {
  /** Who does not get it. Default: everybody does. */
  except?: Client | readonly Client[];
}

/**
 * Sends a message that may be lost, come twice or late, and never waits for another: positions, aim, effects. The client gets it
 * by `room.onMessage(type, …)`. It goes reliably where the transport knows nothing else, and is dropped while the client joins.
 */
export function sendUnreliable<C extends Client, K extends keyof MessagesOf<C> & (string | number)>(
  client: C,
  type: K,
  ...[message]: MessageOf<MessagesOf<C>[K]>
): void {
  sendFrame(client, getMessageBytes.raw(Protocol.ROOM_DATA, type, message));
}

/** {@link sendUnreliable} to everybody in the room; the message is encoded once. */
export function broadcastUnreliable<C extends Client, K extends keyof MessagesOf<C> & (string | number)>(
  room: { clients: ClientArray<C> },
  type: K,
  message?: MessagesOf<C>[K],
  options: BroadcastUnreliableOptions = {},
): void {
  const except: readonly Client[] = options.except === undefined ? [] : [options.except].flat();
  const frame = getMessageBytes.raw(Protocol.ROOM_DATA, type, message);
  for (const client of room.clients) if (!except.includes(client)) sendFrame(client, frame);
}

function sendFrame(client: Client, frame: Uint8Array): void {
  if (client.state !== ClientState.JOINED) return;
  if (client.rawUnreliable) client.rawUnreliable(frame);
  else client.raw(frame);
}
