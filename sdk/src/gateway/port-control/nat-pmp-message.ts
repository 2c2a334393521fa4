/** NAT-PMP's messages (RFC 6886). No I/O. */
import type { Transport } from "../types.ts";

const NAT_PMP_VERSION = 0;
const RESPONSE = 0x80;
const OPCODE_ADDRESS = 0;
const OPCODES: Readonly<Record<Transport, number>> = { udp: 1, tcp: 2 };

/** Result codes (section 3.5). */
export const NatPmpResult = {
  SUCCESS: 0,
  UNSUPPORTED_VERSION: 1,
  NOT_AUTHORIZED: 2,
  NETWORK_FAILURE: 3,
  OUT_OF_RESOURCES: 4,
  UNSUPPORTED_OPCODE: 5,
} as const;
/** The specification's name of each result code. */
export const NAT_PMP_RESULT_NAMES: readonly string[] = [
  "Success",
  "Unsupported Version",
  "Not Authorized",
  "Network Failure",
  "Out of Resources",
  "Unsupported Opcode",
];

export interface NatPmpMapRequest {
  transport: Transport;
  internalPort: number;
  /** Suggested; 0 in a deletion. */
  externalPort: number;
  /** 0 deletes (section 3.4). */
  lifetimeSeconds: number;
}

export type NatPmpResponse =
  | { opcode: "address"; result: number; epoch: number; externalAddress: string }
  | {
      opcode: "map";
      result: number;
      epoch: number;
      transport: Transport;
      internalPort: number;
      externalPort: number;
      lifetimeSeconds: number;
    }
  /** A refusal that carries only its result. A NAT-PMP gateway answers so to PCP too (section 3.5). */
  | { opcode: "error"; result: number; epoch: number };

/** Section 3.2. */
export function encodeAddressRequest(): Uint8Array {
  return Uint8Array.of(NAT_PMP_VERSION, OPCODE_ADDRESS);
}

/** Section 3.3. */
export function encodeNatPmpMap({
  transport,
  internalPort,
  externalPort,
  lifetimeSeconds,
}: NatPmpMapRequest): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  bytes[1] = OPCODES[transport];
  view.setUint16(4, internalPort);
  view.setUint16(6, externalPort);
  view.setUint32(8, lifetimeSeconds);
  return bytes;
}

/** Reads a response; `undefined` for anything else. */
export function decodeNatPmpResponse(bytes: Uint8Array): NatPmpResponse | undefined {
  if (bytes.length < 8 || bytes[0] !== NAT_PMP_VERSION || bytes.length > 1100) return undefined;
  const opcode = bytes[1] ?? 0;
  if ((opcode & RESPONSE) === 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const result = view.getUint16(2);
  const epoch = view.getUint32(4);
  if (opcode === (RESPONSE | OPCODE_ADDRESS) && bytes.length >= 12) {
    return { opcode: "address", result, epoch, externalAddress: bytes.subarray(8, 12).join(".") };
  }
  const transport =
    opcode === (RESPONSE | OPCODES.udp) ? "udp" : opcode === (RESPONSE | OPCODES.tcp) ? "tcp" : undefined;
  if (transport !== undefined && bytes.length >= 16) {
    return {
      opcode: "map",
      result,
      epoch,
      transport,
      internalPort: view.getUint16(8),
      externalPort: view.getUint16(10),
      lifetimeSeconds: view.getUint32(12),
    };
  }
  return result === 0 ? undefined : { opcode: "error", result, epoch };
}

/** Reads the external address (section 3.2); `""` where the gateway has none. */
export function readAddressResponse(bytes: Uint8Array): Extract<NatPmpResponse, { opcode: "address" }> | undefined {
  const response = decodeNatPmpResponse(bytes);
  if (response?.opcode !== "address") return undefined;
  return response.result === NatPmpResult.SUCCESS ? response : { ...response, externalAddress: "" };
}
