import { Room } from "@colyseus/sdk";
import type { Connection } from "@colyseus/sdk/Connection";
import { createSignal } from "@colyseus/sdk/core/signal";
import type { SchemaConstructor } from "@colyseus/sdk/serializer/SchemaSerializer";
import type { NetworkConditions } from "../../channel/line-model.ts";
import { type NetworkPreset, networkConditions } from "../../channel/network-presets.ts";
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
          onPathChange: () => {
            this.#resetClock();
            this.onPathChange.invoke(this.path);
          },
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
    return this.#transport?.path ?? new PathHistory().describe(undefined);
  }

  /**
   * A bad line between this player and the server, for trying the game out: what is sent and what arrives passes through it, each way on
   * its own, so that a delay of 50 ms makes the round trip 100 ms longer. It may be changed at any time; null: as it is. Over WebRTC and
   * WebSocket, whose packets are the browser's, messages fare as packets do: a lost reliable one is sent again, and holds up what comes
   * after it. A name stands for one of the presets, `mobile`, `hotel Wi-Fi` or `other continent`.
   * @throws RangeError for a name that there is not
   */
  get conditions(): NetworkConditions | null {
    return this.#transport?.conditions ?? null;
  }

  set conditions(line: NetworkConditions | NetworkPreset | null) {
    const transport = this.#transport;
    if (!transport) return;
    transport.conditions = line === null ? null : networkConditions(line);
    this.#resetClock();
  }

  /**
   * On another path the round trip is another. Colyseus' clock takes one that is more than four times as long for an outlier, each time
   * anew: it would never learn of it, and draw others, and have shots judged, at a time of which nothing is known yet.
   */
  #resetClock(): void {
    (this.clock as { reset?(): void } | undefined)?.reset?.();
  }

  get #transport(): RoomTransport | undefined {
    const transport = (this.connection as Connection | undefined)?.transport;
    return transport instanceof RoomTransport ? transport : undefined;
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
    const relayed = transport.leaving();
    const left = super.leave();
    const isDead = isConnected ? transport.isHostDead() : Promise.resolve(true);
    void isDead.then((dead) => {
      if (!dead || this.#leftWith !== undefined) return;
      transport.abandon();
      this.onLeave.invoke(CLOSE_ABNORMAL, "the host does not answer");
    });
    const code = await left;
    // Who relays for others goes on for a moment, so that they need not notice.
    await relayed;
    return code;
  }

  override removeAllListeners(): void {
    super.removeAllListeners();
    this.onPathChange.clear();
  }
}

/** What a room of the server's class has as its state. */
export type StateOf<RoomType> = SallyportRoom<RoomType>["state"];
