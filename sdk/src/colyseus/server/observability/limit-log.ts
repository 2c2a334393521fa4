import { type Logger, logger, setLogger } from "@colyseus/core/Logger";
import { TokenBucket } from "../../../net/token-bucket.ts";

/** How much Colyseus may log. */
export interface LogLimits {
  /** Lines of one level at once. Default 100. */
  burst?: number;
  /** And per second in the long run. Default 1. */
  perSecond?: number;
  /** Longer lines are cut, characters. Default 2000: a stack trace is shorter. */
  maxLength?: number;
}

/** Those that strangers and players can make Colyseus write. The other two are for who debugs. */
const LIMITED = ["error", "warn", "info"] as const;
const limited = new WeakSet<Logger>();

/**
 * Bounds what Colyseus' log takes of a disk: a line for each refused request, join or message would let anybody fill it. How many
 * lines were left out is said with the next one. `SallyportTransport` does so while it listens; this is for servers with another
 * transport. Call it when the server is defined.
 * @returns undoes it
 */
export function limitLog({ burst = 100, perSecond = 1, maxLength = 2000 }: LogLimits = {}): () => void {
  const original = logger;
  if (limited.has(original)) return () => {};
  const replacement: Logger = {
    debug: (...words: unknown[]) => original.debug(...words),
    trace: (...words: unknown[]) => original.trace(...words),
    error: () => {},
    warn: () => {},
    info: () => {},
  };
  for (const level of LIMITED) {
    const bucket = new TokenBucket(burst, perSecond);
    let leftOut = 0;
    replacement[level] = (...words: unknown[]) => {
      if (!bucket.take(performance.now())) {
        leftOut++;
        return;
      }
      if (leftOut > 0) original[level](`${leftOut} more lines like the last ones were left out.`);
      leftOut = 0;
      original[level](...words.map((word) => cut(word, maxLength)));
    };
  }
  limited.add(replacement);
  setLogger(replacement);
  return () => {
    if (logger === replacement) setLogger(original);
  };
}

function cut(word: unknown, maxLength: number): unknown {
  return typeof word === "string" && word.length > maxLength ? `${word.slice(0, maxLength)}…` : word;
}
