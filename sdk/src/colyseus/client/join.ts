import type { JoinProgress } from "./path.ts";

/** The last argument of `join`, `joinOrCreate` and the like. */
export interface JoinSettings {
  /** Gives the join up. Without effect once the room is joined: call `room.leave()`. */
  signal?: AbortSignal;
  /** How far the join has come. */
  onProgress?: (progress: JoinProgress) => void;
}
