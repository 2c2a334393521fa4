/** PCP's messages (RFC 6887). No I/O. */
import { addressBytes, formatAddress, fromMapped, toMapped } from "../../net/address.ts";
import type { Transport } from "../types.ts";

/** RFC 6887 section 19.1. */
export const PCP_PORT = 5351;
/** Where servers announce themselves to clients, to 224.0.0.1 and ff02::1 (section 14.1). */
export const PCP_CLIENT_PORT = 5350;
const PCP_VERSION = 2;
/** Section 7. */
const MAX_MESSAGE = 1100;
const HEADER = 24;
const MAP_LENGTH = 36;
const RESPONSE = 0x80;
const OPCODE_ANNOUNCE = 0;
const OPCODE_MAP = 1;
/** Section 13.2: no other port than the suggested one. */
const OPTION_PREFER_FAILURE = 2;
export const NONCE_LENGTH = 12;
/** IANA protocol numbers. */
const PROTOCOLS: Readonly<Record<Transport, number>> = { udp: 17, tcp: 6 };

/** Result codes (section 7.4). */
export const PcpResult = {
  SUCCESS: 0,
  UNSUPP_VERSION: 1,
  NOT_AUTHORIZED: 2,
  MALFORMED_REQUEST: 3,
  UNSUPP_OPCODE: 4,
  UNSUPP_OPTION: 5,
  MALFORMED_OPTION: 6,
  NETWORK_FAILURE: 7,
  NO_RESOURCES: 8,
  UNSUPP_PROTOCOL: 9,
  USER_EX_QUOTA: 10,
  CANNOT_PROVIDE_EXTERNAL: 11,
  ADDRESS_MISMATCH: 12,
  EXCESSIVE_REMOTE_PEERS: 13,
} as const;
/** The specification's name of each result code. */
export const PCP_RESULT_NAMES: readonly string[] = Object.keys(PcpResult);

export interface PcpMap {
  /** 12 bytes, kept as long as the mapping: another nonce may not delete it (section 11.3). */
  nonce: Uint8Array;
  transport: Transport;
  internalPort: number;
  /** Suggested in a request, assigned in a response. */
  externalPort: number;
  externalAddress: string;
}

export interface PcpMapRequest extends PcpMap {
  /** Our own address as the gateway sees it (section 8.1). */
  clientAddress: string;
  /** 0 deletes. */
  lifetimeSeconds: number;
  preferFailure: boolean;
}

export interface PcpResponse {
  opcode: "announce" | "map";
  result: number;
  /** Seconds. How long the mapping lives, or an error is likely to last. */
  lifetimeSeconds: number;
  epoch: number;
  map: PcpMap | undefined;
}

/** Section 5: 16 bytes, IPv4 as an IPv4-mapped address. @throws {RangeError} for text that is no address */
function wireAddress(address: string): Uint8Array {
  const bytes = addressBytes(address);
  if (bytes === undefined) throw new RangeError(`not an IP address: ${address}`);
  return toMapped(bytes);
}

function encodeHeader(opcode: number, length: number, lifetimeSeconds: number, clientAddress: string): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes[0] = PCP_VERSION;
  bytes[1] = opcode;
  new DataView(bytes.buffer).setUint32(4, lifetimeSeconds);
  bytes.set(wireAddress(clientAddress), 8);
  return bytes;
}

/** Section 14.1: "are you there, and how long already?" */
export function encodePcpAnnounce(clientAddress: string): Uint8Array {
  return encodeHeader(OPCODE_ANNOUNCE, HEADER, 0, clientAddress);
}

/** Section 11.1. */
export function encodePcpMap(request: PcpMapRequest): Uint8Array {
  const length = HEADER + MAP_LENGTH + (request.preferFailure ? 4 : 0);
  const bytes = encodeHeader(OPCODE_MAP, length, request.lifetimeSeconds, request.clientAddress);
  const view = new DataView(bytes.buffer);
  bytes.set(request.nonce, HEADER);
  bytes[HEADER + 12] = PROTOCOLS[request.transport];
  view.setUint16(HEADER + 16, request.internalPort);
  view.setUint16(HEADER + 18, request.externalPort);
  bytes.set(wireAddress(request.externalAddress), HEADER + 20);
  if (request.preferFailure) bytes[HEADER + MAP_LENGTH] = OPTION_PREFER_FAILURE;
  return bytes;
}

/** Reads a response (section 7.2); `undefined` for anything else. Options behind it are not read. */
export function decodePcpResponse(bytes: Uint8Array): PcpResponse | undefined {
  if (bytes.length < HEADER || bytes.length > MAX_MESSAGE || bytes.length % 4 !== 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes[0] !== PCP_VERSION) return undefined;
  const common = { result: view.getUint8(3), lifetimeSeconds: view.getUint32(4), epoch: view.getUint32(8) };
  if (bytes[1] === (RESPONSE | OPCODE_ANNOUNCE)) return { ...common, opcode: "announce", map: undefined };
  if (bytes[1] !== (RESPONSE | OPCODE_MAP) || bytes.length < HEADER + MAP_LENGTH) return undefined;
  const protocol = bytes[HEADER + 12];
  const transport = protocol === PROTOCOLS.udp ? "udp" : protocol === PROTOCOLS.tcp ? "tcp" : undefined;
  if (transport === undefined) return undefined;
  return {
    ...common,
    opcode: "map",
    map: {
      nonce: bytes.slice(HEADER, HEADER + NONCE_LENGTH),
      transport,
      internalPort: view.getUint16(HEADER + 16),
      externalPort: view.getUint16(HEADER + 18),
      externalAddress: formatAddress(fromMapped(bytes.subarray(HEADER + 20, HEADER + 36))),
    },
  };
}
