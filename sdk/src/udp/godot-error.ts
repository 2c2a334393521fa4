/** Godot's `Error` (core/error/error_list.h), without the prefix `ERR_`: what the Godot-shaped classes return. */
export const GodotError = {
  OK: 0,
  FAILED: 1,
  UNAVAILABLE: 2,
  UNCONFIGURED: 3,
  UNAUTHORIZED: 4,
  PARAMETER_RANGE_ERROR: 5,
  OUT_OF_MEMORY: 6,
  CANT_OPEN: 19,
  CANT_CREATE: 20,
  QUERY_FAILED: 21,
  ALREADY_IN_USE: 22,
  LOCKED: 23,
  TIMEOUT: 24,
  CANT_CONNECT: 25,
  CANT_RESOLVE: 26,
  CONNECTION_ERROR: 27,
  CANT_ACQUIRE_RESOURCE: 28,
  INVALID_DATA: 30,
  INVALID_PARAMETER: 31,
  ALREADY_EXISTS: 32,
  DOES_NOT_EXIST: 33,
  BUSY: 44,
} as const;

export type GodotError = (typeof GodotError)[keyof typeof GodotError];
