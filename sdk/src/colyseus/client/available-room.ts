/** A room that is open to all, as the server lists it: what its players may know before they join. */
export interface AvailableRoom<Metadata = unknown> {
  roomId: string;
  name: string;
  clients: number;
  /** Null: any number. */
  maxClients: number | null;
  metadata?: Metadata;
  /** ISO 8601. */
  createdAt?: string;
}
