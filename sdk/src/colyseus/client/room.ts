import { Room } from "@colyseus/sdk";
import type { Connection } from "@colyseus/sdk/Connection";
import { createSignal } from "@colyseus/sdk/core/signal";
import type { SchemaConstructor } from "@colyseus/sdk/serializer/SchemaSerializer";
import { CLOSE_ABNORMAL } from "../../session/close-code.ts";
import type { RoomPath } from "./path.ts";
import { PathHistory } from "./path-history.ts";
import { RoomTransport, type RoomTransportSettings } from "./transport.ts";
import type { Untyped } from "./types.ts";

export type SallyportRoomSettings = Omit<RoomTransportSettings, "onPathChange"> & {
  /** Gives the join up; without effect once the room is joined. */
  signal: AbortSignal | undefined;
};

type PathSignal = ReturnType<typeof createSignal<(path: RoomPath) => void>>;

/** Colyseus' own room, over UDP where that gets through. */
export class SallyportRoom<T = Untyped, State = Room<T>["state"]> extends Room<T, State> {
  /** Called whenever the room is reached in another way than before: after a reconnection, say. */
  readonly onPathChange: PathSignal = createSignal<(path: RoomPath) => void>();
  #leftWith: number | undefined;

  constructor(
    name: string,
    rootSchema: SchemaConstructor<State> | undefined,
    { signal, ...settings }: SallyportRoomSettings,
  ) {
    super(name, rootSchema);
    // Colyseus builds its connection within connect(), with a transport of its own choice, and dials at once.
    let connection: Connection | undefined;
    Object.defineProperty(this, "connection", {
      configurable: true,
      enumerable: true,
      get: () => connection,
      set: (created: Connection) => {
        connection = created;
        connection.transport = new RoomTransport(created.events, {
          ...settings,
          onPathChange: () => this.onPathChange.invoke(this.path),
        });
      },
    });
    this.onLeave((code) => {
      this.#leftWith = code;
    });
    const abort = (): void => connection?.close();
    signal?.addEventListener("abort", abort, { once: true });
    // Not once(): a Colyseus signal that drops a listener while it calls them skips the next, which is the join itself.
    this.onJoin(() => {
      signal?.removeEventListener("abort", abort);
      settings.onProgress("joined");
    });
  }

  /** How the room is reached just now, or was last. */
  get path(): RoomPath {
    const transport = (this.connection as Connection | undefined)?.transport;
    return transport instanceof RoomTransport ? transport.path : new PathHistory().describe(undefined);
  }

  /**
   * As Colyseus' own. A host that does not answer the goodbye is not waited for: after about a second and a half the room is left
   * all the same, with 1006; one that is there is given the time that its room takes.
   */
  override async leave(consented = true): Promise<number> {
    const { transport } = (this.connection as Connection | undefined) ?? {};
    if (!consented || !(transport instanceof RoomTransport)) return await super.leave(consented);
    if (this.#leftWith !== undefined) return this.#leftWith;
    this.reconnection.enabled = false;
    const isConnected = transport.isOpen;
    const left = super.leave();
    const isDead = isConnected ? transport.isHostDead() : Promise.resolve(true);
    void isDead.then((dead) => {
      if (!dead || this.#leftWith !== undefined) return;
      transport.abandon();
      this.onLeave.invoke(CLOSE_ABNORMAL, "the host does not answer");
    });
    return await left;
  }

  override removeAllListeners(): void {
    super.removeAllListeners();
    this.onPathChange.clear();
  }
}

/** What a room of the server's class has as its state. */
export type StateOf<RoomType> = SallyportRoom<RoomType>["state"];
