/** A room that is open to all, as the server lists it: what its players may know before they join. */
export interface AvailableRoom<Metadata = unknown> {
  /** For `client.joinById()`. */
  roomId: string;
  /** The name under which the server defines the room. */
  name: string;
  /** How many are in it. */
  clients: number;
  /** Null: any number. */
  maxClients: number | null;
  /** What the room tells of itself by `setMetadata()`. */
  metadata?: Metadata;
  /** ISO 8601. */
  createdAt?: string;
}
