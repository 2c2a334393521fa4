/** Reads an HTTP/1 response (RFC 9112) as routers write it. No I/O: bytes in, a response out. */
import { UpnpError } from "./errors.ts";
import { MAX_DOCUMENT } from "./xml.ts";

/** Header bytes that are read from a router. */
const MAX_HEAD = 16 * 1024;
/** Longer size lines belong to no chunk. */
const MAX_SIZE_LINE = 64;
/** The end of a document, with what some routers send behind it. */
const TAIL = 96;
const CR = 13;
const LF = 10;

export interface HttpResponse {
  status: number;
  /** Names in lower case. Of a name that occurs twice, the first value. */
  headers: Record<string, string>;
  body: Uint8Array;
}

/**
 * - `more`: the response goes on
 * - `perhaps`: its length says that it is over, and its document does not: some routers tell a length that is too short, or 0
 * - `whole`: nothing follows
 */
export type ReadState = "more" | "perhaps" | "whole";

/**
 * One response. Lines may end in LF alone, a header line may be malformed, and a length may be wrong or absent: the end of the
 * XML document ends the response too, since some routers keep a connection open without telling a length.
 */
export class HttpReader {
  #head: Buffer = Buffer.alloc(0);
  #status = 0;
  #headers: Record<string, string> | undefined;
  readonly #body: Buffer[] = [];
  #size = 0;
  /** The last bytes of the body. */
  #tail = "";
  /** `undefined`: until the connection ends. */
  #length: number | undefined;
  #chunks: ChunkReader | undefined;
  #isOver = false;

  /** Takes the next bytes. @throws {UpnpError} `http`: they are no HTTP, or too many */
  push(bytes: Buffer): ReadState {
    if (this.#headers === undefined) {
      this.#head = this.#head.length === 0 ? bytes : Buffer.concat([this.#head, bytes]);
      const rest = this.#readHead();
      if (rest === undefined) return "more";
      bytes = rest;
    }
    this.#readBody(bytes);
    return this.#state;
  }

  /** The response as far as it came; `undefined` before its header is whole. */
  get response(): HttpResponse | undefined {
    if (this.#headers === undefined) return undefined;
    const body = this.#body.length === 1 ? (this.#body[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#body);
    return { status: this.#status, headers: this.#headers, body };
  }

  /** Nothing tells where the body ends but the end of the connection. */
  get isOpenEnded(): boolean {
    return this.#headers !== undefined && this.#length === undefined && this.#chunks === undefined;
  }

  /** What has come of the body, in bytes. */
  get size(): number {
    return this.#size;
  }

  get #state(): ReadState {
    if (this.#isOver || this.#chunks?.isOver || this.#endsDocument) return "whole";
    return this.#length === undefined || this.#size < this.#length ? "more" : "perhaps";
  }

  /** The bytes behind the header; `undefined` while it is not whole. */
  #readHead(): Buffer | undefined {
    for (;;) {
      // Left over from a response before, or sent for good measure.
      let start = 0;
      while (this.#head[start] === CR || this.#head[start] === LF) start++;
      const head = this.#head.subarray(start);
      if (!"HTTP/".startsWith(head.toString("latin1", 0, 5)))
        throw new UpnpError("http", "the router's answer is no HTTP");
      const end = endOfHead(head);
      if (end === undefined) {
        if (head.length > MAX_HEAD) throw new UpnpError("http", "the router's answer is too long");
        return undefined;
      }
      const [line = "", ...fields] = head.toString("latin1", 0, end).split(/\r?\n/);
      const status = Number(/^HTTP\/\d(?:\.\d)? +(\d{3})(?:\s|$)/.exec(line)?.[1] ?? 0);
      // RFC 9110 section 15.2.2: another protocol, which nobody asked for.
      if (status < 100 || status === 101) throw new UpnpError("http", "the router's answer is no HTTP");
      this.#head = head.subarray(end);
      // Interim responses (RFC 9110 section 15.2) come before the final one.
      if (status < 200) continue;
      this.#status = status;
      this.#headers = readFields(fields);
      this.#frame(this.#headers);
      return this.#head;
    }
  }

  /** RFC 9112 section 6.3: where the body ends. */
  #frame(headers: Record<string, string>): void {
    if (this.#status === 204 || this.#status === 304) this.#isOver = true;
    else if (/\bchunked\b/i.test(headers["transfer-encoding"] ?? "")) this.#chunks = new ChunkReader();
    else if (/^\d{1,9}$/.test(headers["content-length"] ?? "")) this.#length = Number(headers["content-length"]);
  }

  #readBody(bytes: Buffer): void {
    const part = this.#chunks === undefined ? [bytes] : this.#chunks.push(bytes);
    for (const each of part) {
      if (each.length === 0) continue;
      this.#size += each.length;
      if (this.#size > MAX_DOCUMENT) throw new UpnpError("http", "the router's answer is too long");
      this.#body.push(each);
      this.#tail = (this.#tail + each.toString("latin1", Math.max(0, each.length - TAIL))).slice(-TAIL);
    }
  }

  /** Whether the body ends as the documents of UPnP do. */
  get #endsDocument(): boolean {
    return /<\/(?:[\w.-]{1,32}:)?(?:root|Envelope)\s*>[\0-\x20]*$/i.test(this.#tail);
  }
}

/** The index behind the empty line. */
function endOfHead(head: Buffer): number | undefined {
  for (let at = head.indexOf(LF); at >= 0; at = head.indexOf(LF, at + 1)) {
    if (head[at + 1] === LF) return at + 2;
    if (head[at + 1] === CR && head[at + 2] === LF) return at + 3;
  }
  return undefined;
}

function readFields(lines: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon < 1) continue;
    const name = line.slice(0, colon).trim().toLowerCase();
    if (name !== "" && !Object.hasOwn(fields, name) && name !== "__proto__")
      fields[name] = line.slice(colon + 1).trim();
  }
  return fields;
}

/** Chunked bodies (RFC 9112 section 7.1). What is announced as chunked and is not, is passed on as it is. */
class ChunkReader {
  isOver = false;
  #line = "";
  /** Bytes of the chunk that are still to come. */
  #left = 0;
  #isFirst = true;
  #isRaw = false;

  push(bytes: Buffer): Buffer[] {
    const parts: Buffer[] = [];
    let at = 0;
    while (at < bytes.length && !this.isOver) {
      if (this.#isRaw || this.#left > 0) {
        const part = this.#isRaw ? bytes.subarray(at) : bytes.subarray(at, at + this.#left);
        parts.push(part);
        at += part.length;
        if (!this.#isRaw) this.#left -= part.length;
        continue;
      }
      const byte = bytes[at++] ?? 0;
      if (byte !== LF) {
        this.#line += String.fromCharCode(byte);
        if (this.#line.length > MAX_SIZE_LINE || !/^[\s0-9a-f]/i.test(this.#line)) this.#giveUp(parts);
        continue;
      }
      const line = this.#line.trim();
      // The line break behind a chunk.
      if (line === "") {
        this.#line = "";
        continue;
      }
      const size = /^([0-9a-f]{1,7})\s*(?:;.*)?$/i.exec(line)?.[1];
      if (size === undefined) {
        this.#line += "\n";
        this.#giveUp(parts);
        continue;
      }
      this.#line = "";
      this.#isFirst = false;
      this.#left = Number.parseInt(size, 16);
      this.isOver = this.#left === 0;
    }
    return parts;
  }

  /** It is not chunked, or not any more. */
  #giveUp(parts: Buffer[]): void {
    if (!this.#isFirst) throw new UpnpError("http", "the router's answer is no HTTP");
    parts.push(Buffer.from(this.#line, "latin1"));
    this.#line = "";
    this.#isRaw = true;
  }
}
