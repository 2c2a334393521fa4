import { Room } from "@colyseus/core";
import type { Players } from "../observability/players.ts";
import { replaceMethod } from "./methods.ts";

interface InspectedRoom {
  clients?: unknown;
  clientList?: unknown;
}

/**
 * Adds `connection` (path, address, round trip, loss, ICE's pairs) to each player in what a room tells Colyseus' tools: `getInspectData` of the
 * monitor, where that is imported before `listen()`, and core's own `getInspectorView`.
 *
 * Colyseus 0.18 builds both from the room alone, which knows nothing of how its players are connected.
 * @returns undoes it
 */
export function addConnectionsToInspector(players: Players): () => void {
  const undo = (["getInspectData", "getInspectorView"] as const).map((method) =>
    replaceMethod(Room.prototype, method, (original, room) => (...parameters) => {
      const add = (data: unknown): unknown => {
        addConnections(data as InspectedRoom, room as Room, players);
        return data;
      };
      const data = original(...parameters);
      return data instanceof Promise ? data.then(add) : add(data);
    }),
  );
  return () => {
    for (const each of undo) each();
  };
}

function addConnections({ clients, clientList }: InspectedRoom, room: Room, players: Players): void {
  const list = Array.isArray(clientList) ? clientList : clients;
  if (!Array.isArray(list)) return;
  for (const entry of list as { sessionId: string; connection?: unknown }[]) {
    const ref = room.clients.get(entry.sessionId)?.ref;
    const connection = ref && players.of(ref);
    if (connection) entry.connection = connection;
  }
}
