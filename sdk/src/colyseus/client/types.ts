// Named border: Colyseus' own types are open here, and a room without types takes every message.
// oxlint-disable-next-line typescript/no-explicit-any
export type Untyped = any;

/** What `typeof server` of Colyseus' `defineServer` tells a client about its rooms and routes. */
export interface ServerTypes {
  "~rooms": Untyped;
  "~routes": Untyped;
}

/** A room class of the server, as far as a client's types need it. */
export interface ServerRoom {
  state: Untyped;
  onJoin?: (client: Untyped, options?: Untyped, auth?: Untyped) => unknown;
}

/** The room class behind a name of the server's. */
export type RoomOf<Types extends ServerTypes, Name extends keyof Types["~rooms"]> = Types["~rooms"][Name]["~room"];
/** What a room's `onJoin` takes as options. */
export type OptionsOf<RoomType extends ServerRoom> = Parameters<NonNullable<RoomType["onJoin"]>>[1];
