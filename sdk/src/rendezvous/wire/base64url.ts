/** RFC 4648 section 5, without padding: keys, proofs and seals are written so. Nothing here is Node's. */

export function toBase64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/** Undefined if it is none. Call it for short text only. */
export function fromBase64Url(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined;
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
}

/** A public key as it is written in messages: 32 bytes in base64url. */
export function parsePublicKey(value: unknown): Uint8Array | undefined {
  if (typeof value !== "string" || value.length !== 43) return undefined;
  const key = fromBase64Url(value);
  return key?.length === 32 && toBase64Url(key) === value ? key : undefined;
}
