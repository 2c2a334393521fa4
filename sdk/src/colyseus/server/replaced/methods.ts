import type { MatchMakerDriver, matchMaker, Room, Server } from "@colyseus/core";

/** The methods of Colyseus that Sallyport replaces. A version of Colyseus without one of core's fails the build here. */
export type ReplacedMethod =
  | keyof Pick<Server, "gracefullyShutdown">
  | keyof Pick<MatchMakerDriver, "shutdown" | "insert" | "persist" | "query">
  | keyof Pick<typeof matchMaker.controller, "invokeMethod">
  | keyof Pick<Room, "getInspectorView" | "onMessage" | "onMessageBytes">
  /** Private in Colyseus' types. */
  | "_onLeave"
  | "getInspectData";

/**
 * Whose they are and where they are replaced. Colyseus offers no hook in these places. Each file in this folder replaces the methods
 * of one purpose, by {@link replaceMethod}, says why, and undoes it when the transport closes.
 *
 * Checked against @colyseus/core 0.18.17 and @colyseus/redis-driver 0.18.3; test/unit/colyseus/server/replaced/methods.test.ts fails
 * when the installed Colyseus lacks one. `getInspectData` is added to `Room.prototype` by @colyseus/monitor, where a game imports it.
 *
 * Not in this list: what a subclass overrides (`FallbackWebSocketTransport`), and `emit` of Node's HTTP server (entrances/http.ts).
 */
export const REPLACED_METHODS: Readonly<Record<ReplacedMethod, { owner: MethodOwner; file: string }>> = {
  gracefullyShutdown: { owner: "Server", file: "graceful-shutdown.ts" },
  shutdown: { owner: "driver", file: "driver-shutdown.ts" },
  insert: { owner: "driver", file: "room-writes.ts" },
  persist: { owner: "driver", file: "room-writes.ts" },
  query: { owner: "driver", file: "room-query.ts" },
  invokeMethod: { owner: "controller", file: "seat-reservation.ts" },
  getInspectorView: { owner: "Room", file: "room-inspection.ts" },
  onMessage: { owner: "Room", file: "handlers.ts" },
  onMessageBytes: { owner: "Room", file: "handlers.ts" },
  _onLeave: { owner: "Room", file: "handlers.ts" },
  getInspectData: { owner: "monitor", file: "room-inspection.ts" },
};

export type MethodOwner = "Server" | "driver" | "controller" | "Room" | "monitor";

type AnyMethod = (...parameters: unknown[]) => unknown;

/**
 * Replaces a method of one of Colyseus' objects. An object without that method stays as it is: not every driver has `insert`, and
 * not every game has the monitor.
 * @param make gets the original, bound to the object that it is called on, and that object
 * @returns puts the original back
 */
export function replaceMethod(
  target: object,
  name: ReplacedMethod,
  make: (original: AnyMethod, self: object) => AnyMethod,
): () => void {
  const methods = target as Record<string, AnyMethod>;
  const original = methods[name];
  if (!original) return () => {};
  const own = Object.hasOwn(methods, name);
  let active = true;
  const replacement = function (this: object, ...parameters: unknown[]): unknown {
    const bound = original.bind(this);
    return (active ? make(bound, this) : bound)(...parameters);
  };
  methods[name] = replacement;
  return () => {
    active = false;
    // Code that replaced the method after us still calls us.
    if (methods[name] !== replacement) return;
    if (own) methods[name] = original;
    else delete methods[name];
  };
}
