import { isIPv4, isIPv6, SocketAddress } from "node:net";

/** An address as 16 bytes; IPv4 as v4-mapped IPv6 (RFC 6887 section 5). @throws {RangeError} for what is no address */
export function addressToBytes(address: string): Uint8Array {
  const bytes = new Uint8Array(16);
  if (isIPv4(address)) {
    bytes.set([0xff, 0xff, ...address.split(".").map(Number)], 10);
    return bytes;
  }
  const bare = address.split("%", 1)[0] ?? "";
  if (!isIPv6(bare)) throw new RangeError(`not an IP address: ${address}`);
  // An embedded IPv4 tail becomes two groups.
  const text = bare.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a: string, b: string, c: string, d: string) =>
    [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)].map((word) => word.toString(16)).join(":"),
  );
  const [head = "", tail] = text.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  left.forEach((word, index) => setWord(bytes, index, word));
  right.forEach((word, index) => setWord(bytes, 8 - right.length + index, word));
  return bytes;
}

function setWord(bytes: Uint8Array, index: number, word: string): void {
  const value = Number.parseInt(word, 16);
  bytes[index * 2] = value >> 8;
  bytes[index * 2 + 1] = value & 0xff;
}

/** The text of 16 bytes: plain IPv4 where they are v4-mapped, else IPv6 as the system writes it. */
export function bytesToAddress(bytes: Uint8Array): string {
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  if (mapped) return bytes.subarray(12, 16).join(".");
  const words: string[] = [];
  for (let i = 0; i < 16; i += 2) words.push((((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)).toString(16));
  return new SocketAddress({ address: words.join(":"), family: "ipv6" }).address;
}
