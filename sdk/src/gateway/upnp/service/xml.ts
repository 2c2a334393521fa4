import { type X2jOptions, XMLParser } from "fast-xml-parser";

/** Longest document that is parsed, in bytes: real descriptions have 3 to 40 KiB. */
export const MAX_DOCUMENT: number = 256 * 1024;

/** Text, or elements by name; an element that occurs more than once is an array. */
export type XmlNode = string | XmlElement | XmlNode[];
export interface XmlElement {
  [name: string]: XmlNode;
}

/**
 * Limits against entity expansion, prototype names and depth: no router's XML needs more.
 * Without a DOCTYPE only predefined entities and character references are left. They shrink when they are read, and a whole
 * document may be escaped inside another (GetListOfPortMappings), so only the document's size limits their number.
 */
const OPTIONS: X2jOptions = {
  ignoreAttributes: true,
  removeNSPrefix: true,
  parseTagValue: false,
  trimValues: true,
  processEntities: {
    enabled: true,
    maxEntityCount: 0,
    maxTotalExpansions: 65_536,
    maxExpandedLength: MAX_DOCUMENT,
    maxEntitySize: 1,
  },
  htmlEntities: false,
  maxNestedTags: 24,
  ignoreDeclaration: true,
  ignorePiTags: true,
};
const parser = new XMLParser(OPTIONS);

/** Decodes by byte order mark, then as UTF-8: routers often declare another encoding than they send. */
function decodeText(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  // "<" and a zero byte, or the other way round: UTF-16 without a mark.
  if (bytes[0] === 0x3c && bytes[1] === 0) return new TextDecoder("utf-16le").decode(bytes);
  if (bytes[0] === 0 && bytes[1] === 0x3c) return new TextDecoder("utf-16be").decode(bytes);
  return new TextDecoder("utf-8").decode(bytes);
}

/** Parses a router's document; `undefined` if it is not XML, too large, or has a DOCTYPE. Never throws. */
export function parseXml(bytes: Uint8Array): XmlElement | undefined {
  if (bytes.length === 0 || bytes.length > MAX_DOCUMENT) return undefined;
  const text = decodeText(bytes);
  if (/<!DOCTYPE|<!ENTITY/i.test(text)) return undefined;
  try {
    const root: unknown = parser.parse(text);
    return isElement(root) ? root : undefined;
  } catch {
    return undefined;
  }
}

function isElement(node: unknown): node is XmlElement {
  return typeof node === "object" && node !== null && !Array.isArray(node);
}

/** What is called `name` under `node`. Some routers write names in another case than the specification. */
function named(node: XmlNode | undefined, name: string): XmlNode | undefined {
  if (!isElement(node)) return undefined;
  if (Object.hasOwn(node, name)) return node[name];
  const wanted = name.toLowerCase();
  const key = Object.keys(node).find((each) => each.toLowerCase() === wanted);
  return key === undefined ? undefined : node[key];
}

/** The elements called `name` under `node`: none, one or many. */
export function children(node: XmlNode | undefined, name: string): XmlElement[] {
  const found = named(node, name);
  return (Array.isArray(found) ? found : [found]).filter(isElement);
}

/** The first element called `name`. */
export function child(node: XmlNode | undefined, name: string): XmlElement | undefined {
  return children(node, name)[0];
}

/** The text of the element called `name`; `undefined` when it is absent, or holds elements. */
export function text(node: XmlNode | undefined, name: string): string | undefined {
  const found = named(node, name);
  const first = Array.isArray(found) ? found[0] : found;
  return typeof first === "string" ? first : undefined;
}

/** Escapes everything that would open or close markup, for element content. */
export function escapeXml(value: string): string {
  return value
    .replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, "")
    .replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
