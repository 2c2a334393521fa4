/** Godot's `Error` (core/error/error_list.h), without the prefix `ERR_`: what the Godot-shaped classes return. */
export const GodotError = {
  /** All is well. */
  OK: 0,
  /** Failed, or the peer is closed. */
  FAILED: 1,
  /** The system refuses, or no packet waits. */
  UNAVAILABLE: 2,
  /** There is no destination, or the server does not listen. */
  UNCONFIGURED: 3,
  /** Not answered by these classes. */
  UNAUTHORIZED: 4,
  /** Not answered by these classes. */
  PARAMETER_RANGE_ERROR: 5,
  /** A Variant is longer than `encodeBufferMaxSize`. */
  OUT_OF_MEMORY: 6,
  /** No socket can be opened. */
  CANT_OPEN: 19,
  /** Not answered by these classes. */
  CANT_CREATE: 20,
  /** Not answered by these classes. */
  QUERY_FAILED: 21,
  /** This server or peer is open already. */
  ALREADY_IN_USE: 22,
  /** A peer that a server accepted, or that is connected, cannot do this. */
  LOCKED: 23,
  /** Not answered by these classes. */
  TIMEOUT: 24,
  /** Not answered by these classes. */
  CANT_CONNECT: 25,
  /** What was given is no address, or a name that nobody knows. */
  CANT_RESOLVE: 26,
  /** Not answered by these classes. */
  CONNECTION_ERROR: 27,
  /** Not answered by these classes. */
  CANT_ACQUIRE_RESOURCE: 28,
  /** A packet is no Variant. */
  INVALID_DATA: 30,
  /** A parameter is out of its range. */
  INVALID_PARAMETER: 31,
  /** Not answered by these classes. */
  ALREADY_EXISTS: 32,
  /** Not answered by these classes. */
  DOES_NOT_EXIST: 33,
  /** The buffers of the system and of the socket are full. */
  BUSY: 44,
} as const;

/** A value of {@link GodotError}. */
export type GodotError = (typeof GodotError)[keyof typeof GodotError];
