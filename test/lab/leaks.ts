/** Finds secrets in a text, however they were written. */

/** Shorter coincidences are chance: 8 characters of base64 are 48 bits. */
const WINDOW = 8;
/** Of one draw; libsodium draws four bytes at a time. */
const SHORT_BYTES = 8;

/**
 * @param secrets hexadecimal bytes, each draw of randomness for itself
 * @param known texts that must not occur
 * @returns what of the text is a secret, or a part of one in hexadecimal, base64 or base64url
 */
export function leaksOf(text: string, secrets: readonly string[], known: readonly string[]): string[] {
  const found = known.filter((secret) => secret !== "" && text.includes(secret));
  const written = encodingsOf(runsOf(secrets));
  const words = new Set(text.match(/[A-Za-z0-9+/_-]{8,}/g));
  for (const word of words) {
    const plain = word.replaceAll("-", "+").replaceAll("_", "/");
    for (let at = 0; at + WINDOW <= plain.length; at++) {
      if (written.has(plain.slice(at, at + WINDOW))) {
        found.push(word);
        break;
      }
    }
  }
  return found;
}

/** Draws as they came; short ones that follow each other are one. */
function runsOf(secrets: readonly string[]): Buffer[] {
  const runs: Buffer[] = [];
  let short: Buffer[] = [];
  const flush = (): void => {
    if (short.length > 0) runs.push(Buffer.concat(short));
    short = [];
  };
  for (const secret of secrets) {
    const bytes = Buffer.from(secret, "hex");
    if (bytes.length < SHORT_BYTES) short.push(bytes);
    else {
      flush();
      runs.push(bytes);
    }
  }
  flush();
  return runs;
}

/** Every window of every way to write them; base64 has three, as what stands before them is long. */
function encodingsOf(runs: readonly Buffer[]): Set<string> {
  const windows = new Set<string>();
  const add = (text: string): void => {
    for (let at = 0; at + WINDOW <= text.length; at++) windows.add(text.slice(at, at + WINDOW));
  };
  for (const run of runs) {
    add(run.toString("hex"));
    for (let before = 0; before < 3; before++) {
      const text = Buffer.concat([Buffer.alloc(before), run])
        .toString("base64")
        .replace(/=+$/, "");
      // What is mixed with neighbours at both ends is not theirs alone.
      add(text.slice(before === 0 ? 0 : before + 1, run.length % 3 === (3 - before) % 3 ? undefined : -1));
    }
  }
  return windows;
}
