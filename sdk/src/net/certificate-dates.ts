/** Certificates hold between two dates, and are refused by a computer whose clock is outside of them. Nothing here is Node's. */

/** Deeper, no cause tells anything new. */
const MAX_DEPTH = 8;

/**
 * What is to be said of an error that TLS gave for a certificate's dates: a clock that is wrong looks like a bad server. `undefined`
 * for any other error. A page's errors never say why.
 * @param unixNow ms, by this computer's wall clock
 */
export function certificateDates(error: unknown, unixNow: number = Date.now()): string | undefined {
  const code = dateCodeOf(error, MAX_DEPTH);
  if (code === undefined) return undefined;
  const now = new Date(unixNow).toISOString().replace(/:\d\d\.\d+Z$/, "Z");
  return code === "CERT_NOT_YET_VALID"
    ? `its certificate is not valid yet by this computer's clock, which says ${now}: if that is wrong, set the clock`
    : `its certificate has expired by this computer's clock, which says ${now}: if that is wrong, set the clock`;
}

/** OpenSSL's names for the two, as Node gives them, wherever in the chain of causes they stand. */
function dateCodeOf(error: unknown, depth: number): "CERT_NOT_YET_VALID" | "CERT_HAS_EXPIRED" | undefined {
  if (typeof error !== "object" || error === null || depth === 0) return undefined;
  const { code, cause, errors } = error as { code?: unknown; cause?: unknown; errors?: unknown };
  if (code === "CERT_NOT_YET_VALID" || code === "CERT_HAS_EXPIRED") return code;
  for (const inner of [cause, ...(Array.isArray(errors) ? errors.slice(0, MAX_DEPTH) : [])]) {
    const found = dateCodeOf(inner, depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
