/** What lets several processes be one lobby. */
import type { ServerOptions } from "@colyseus/core";

type Shared = Pick<ServerOptions, "driver" | "presence" | "publicAddress">;

/**
 * Games and limits are shared by all processes with the same Redis. Each has its own `publicUrl`, by which players reach it: an invite
 * leads to the process that has the game.
 */
export async function shareByRedis(url: string, publicUrl: string): Promise<Shared> {
  const { RedisDriver } = await import("@colyseus/redis-driver");
  const { RedisPresence } = await import("@colyseus/redis-presence");
  return { driver: new RedisDriver(url), presence: new RedisPresence(url), publicAddress: new URL(publicUrl).host };
}
