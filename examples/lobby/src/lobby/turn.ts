/** What the lobby's environment says of TURN. */
import type { TurnOptions } from "sallyport/rendezvous";
import { UsageError } from "../cli/arguments.ts";

/**
 * From TURN_URLS (commas or blanks), with TURN_SECRET (coturn's `use-auth-secret`), or TURN_USERNAME and TURN_CREDENTIAL.
 * @throws UsageError
 */
export function readTurnOptions(env: NodeJS.ProcessEnv): TurnOptions | undefined {
  const urls = env["TURN_URLS"]?.split(/[\s,]+/).filter((url) => url !== "") ?? [];
  if (urls.length === 0) return undefined;
  const wrong = urls.find((url) => !/^turns?:[^\s/?]+(\?transport=(udp|tcp))?$/.test(url));
  if (wrong !== undefined) throw new UsageError(`TURN_URLS holds "${wrong}". One looks like turn:turn.example:3478`);
  const { TURN_SECRET: secret, TURN_USERNAME: username, TURN_CREDENTIAL: credential } = env;
  if (secret) return { urls, secret };
  if (username && credential) return { urls, username, credential };
  throw new UsageError(
    "TURN_URLS needs TURN_SECRET (coturn's static-auth-secret), or TURN_USERNAME and TURN_CREDENTIAL",
  );
}
