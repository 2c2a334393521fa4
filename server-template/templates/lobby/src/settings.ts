/** What `.env` says, checked: each sentence names the variable that is wrong. */
import { readFileSync } from "node:fs";
import { lobbyServersFromEnvironment } from "sallyport/colyseus";

export type Settings = ReturnType<typeof readSettings>;

export function readSettings(env: NodeJS.ProcessEnv = process.env) {
  const port = Number(env.PORT || 2567);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new RangeError(`PORT must be a port from 1 to 65535, not "${env.PORT}"`);
  }
  const publicUrl = env.PUBLIC_URL || `http://localhost:${port}/`;
  if (!/^https?:$/.test(URL.parse(publicUrl)?.protocol ?? "")) {
    throw new RangeError(`PUBLIC_URL must be a URL such as https://lobby.example, not "${publicUrl}"`);
  }
  const trustProxy = env.TRUST_PROXY === "1";
  return {
    port,
    publicUrl: new URL(publicUrl).href,
    trustProxy,
    // Who is reached directly is not asked for by a proxy.
    host: env.HOST || (trustProxy ? "127.0.0.1" : undefined),
    name: env.LOBBY_NAME || "my-lobby",
    tls: readCertificate(env),
    servers: lobbyServersFromEnvironment(env),
    redisUrl: env.REDIS_URL || undefined,
    ownKey: env.OWN_KEY || undefined,
  };
}

function readCertificate({ TLS_CERT: cert, TLS_KEY: key }: NodeJS.ProcessEnv) {
  if (!cert && !key) return undefined;
  if (!cert || !key) throw new RangeError("TLS_CERT and TLS_KEY belong together: one of them is missing");
  return { cert: read("TLS_CERT", cert), key: read("TLS_KEY", key) };
}

function read(variable: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new RangeError(`${variable}: ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
