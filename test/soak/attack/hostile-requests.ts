/** What strangers say to an HTTP port: requests that almost are right, and such as no client sends. */
import { hostilePaths } from "../../hostile-paths.ts";

const HOST = "game.example:7777";
const KEY = "c3RyYW5nZXJzdHJhbmdlcg==";
const METHODS = ["GET", "POST", "POST", "POST", "PUT", "OPTIONS", "HEAD", "DELETE", "CONNECT", "PATCH", "get", "G\0T"];
const PATHS = [
  ...["joinOrCreate", "create", "join", "joinById", "reconnect", "__proto__"].flatMap((method) =>
    ["arena", "rendezvous", "__proto__", "constructor", "%00", ""].map((room) => `/matchmake/${method}/${room}`),
  ),
  "/",
  "/sallyport/connect",
  "/sallyport/webrtc",
  "/auth/anonymous",
  "/games",
  "/host",
  "/host/events",
  "/page.js",
  ...hostilePaths("evil.example"),
];
const HEADERS = [
  "Content-Type: application/json",
  "Content-Type: multipart/form-data; boundary=x",
  "Content-Length: 99999999999",
  "Content-Length: -1",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: chunked, identity",
  "Expect: 100-continue",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Upgrade: h2c",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Version: 99",
  `Sec-WebSocket-Key: ${KEY}`,
  "Sec-WebSocket-Key: x",
  "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=999",
  "X-Forwarded-For: 127.0.0.1",
  "X-Real-IP: ::1",
  "X-Sallyport-Introduced: AAAA",
  "Authorization: Bearer e30.e30.",
  "Cookie: sallyport-7777=x",
  "Origin: null",
  "Sec-Fetch-Site: none",
  "Host: [::1",
  "Host: localhost",
  `X-Long: ${"x".repeat(20_000)}`,
];
const VALUES: readonly unknown[] = [
  null,
  0,
  -1,
  1e308,
  "",
  "x".repeat(5_000),
  "\u0000",
  "__proto__",
  true,
  [],
  {},
  [[[[[[[[]]]]]]]],
  { length: -1 },
  JSON.parse('{"then":"x"}'),
];
const NAMES = [
  "roomId",
  "sessionId",
  "reconnectionToken",
  "protocol",
  "dialed",
  "skipHandshake",
  "invite",
  "role",
  "proof",
  "key",
  "details",
  "offer",
  "sdp",
  "candidates",
  "__proto__",
  "constructor",
  "hasOwnProperty",
];

/** WebSocket's opcodes, those that do not exist too. */
const OPCODES = 16;
const SMALL = 126;
const CHANCE_OF_BENT = 0.3;

export class HostileRequests {
  readonly #random: () => number;

  /** @param random numbers from 0 to below 1 */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** A request as it goes over the wire. */
  next(): Buffer {
    const kind = this.#below(10);
    if (kind === 0) return this.#bytes(this.#below(2_000));
    const request = kind < 3 ? this.#upgrade() : this.#request();
    return this.#random() < CHANCE_OF_BENT ? this.#bend(request) : request;
  }

  /** What follows an upgrade. */
  frames(): Buffer {
    return Buffer.concat(Array.from({ length: 1 + this.#below(6) }, () => this.#frame()));
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #of<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T;
  }

  #bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.#below(256)));
  }

  #request(): Buffer {
    const body = this.#body();
    const lines = [
      `${this.#of(METHODS)} ${this.#of(PATHS)} HTTP/${this.#of(["1.1", "1.1", "1.0", "9.9", "2.0"])}`,
      `Host: ${HOST}`,
      ...Array.from({ length: this.#below(5) }, () => this.#of(HEADERS)),
    ];
    if (this.#random() < 0.7) lines.push(`Content-Length: ${body.length}`, "Content-Type: application/json");
    return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), body]);
  }

  #body(): Buffer {
    const kind = this.#below(6);
    if (kind === 0) return this.#bytes(this.#below(5_000));
    if (kind === 1) return Buffer.from("[".repeat(this.#below(4_000)));
    if (kind === 2) return Buffer.from('{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"x":1}}}');
    const object = Object.fromEntries(
      Array.from({ length: this.#below(8) }, () => [this.#of(NAMES), this.#of(VALUES)] as const),
    );
    return Buffer.from(JSON.stringify(object));
  }

  #upgrade(): Buffer {
    const target = `/${this.#of(["process", "x", ".."])}/${this.#of(["room", "__proto__", "%2e%2e"])}`;
    const query = `?sessionId=${this.#of(["nobody", "__proto__", "", "%00"])}&reconnectionToken=${this.#below(9)}`;
    const lines = [
      `GET ${target}${query} HTTP/1.1`,
      `Host: ${HOST}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${KEY}`,
      ...Array.from({ length: this.#below(3) }, () => this.#of(HEADERS)),
    ];
    return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), this.frames()]);
  }

  #frame(): Buffer {
    const data = this.#bytes(this.#below(this.#random() < 0.9 ? SMALL : 3_000));
    const first = (this.#below(16) << 4) | this.#below(OPCODES);
    const isMasked = this.#random() < 0.8;
    // A length that is true, or one that is not.
    const length = this.#random() < 0.9 ? data.length : this.#below(0xffff);
    const head =
      length < SMALL
        ? Buffer.from([first, length | (isMasked ? 0x80 : 0)])
        : Buffer.from([first, SMALL | (isMasked ? 0x80 : 0), length >> 8, length & 0xff]);
    return Buffer.concat([head, isMasked ? Buffer.alloc(4) : Buffer.alloc(0), data]);
  }

  /** Bytes changed, cut off, put in, or said twice. */
  #bend(data: Buffer): Buffer {
    const at = this.#below(data.length);
    switch (this.#below(4)) {
      case 0:
        for (let left = 1 + this.#below(8); left > 0; left--) data[this.#below(data.length)] = this.#below(256);
        return data;
      case 1:
        return data.subarray(0, at);
      case 2:
        return Buffer.concat([data.subarray(0, at), this.#bytes(this.#below(64)), data.subarray(at)]);
      default:
        return Buffer.concat([data, data]);
    }
  }
}
