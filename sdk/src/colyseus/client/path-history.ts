import { formatEndpoint } from "../../net/endpoint.ts";
import type { Session } from "../../session/types.ts";
import type { PathRecord, RoomPath } from "./path.ts";

const MAX_RECORDS = 16;
const NOT_CONNECTED: PathRecord = { kind: "none", remote: "", since: 0, reason: "not connected yet" };

/** Remembers the paths of one room. */
export class PathHistory {
  readonly #past: PathRecord[] = [];
  #current: PathRecord = NOT_CONNECTED;

  moved(record: PathRecord): void {
    if (this.#current !== NOT_CONNECTED) {
      this.#past.push(this.#current);
      if (this.#past.length > MAX_RECORDS) this.#past.shift();
    }
    this.#current = record;
  }

  /** @param session what measures the path of now; none for WebSocket. */
  describe(session: Session | undefined): RoomPath {
    const { rttMs, jitterMs, loss } = session?.stats ?? { rttMs: null, jitterMs: null, loss: null };
    const remote = session ? formatEndpoint(session.remote) : this.#current.remote;
    return { ...this.#current, remote, rttMs, jitterMs, loss, history: [...this.#past] };
  }
}
