import type { Endpoint } from "../net/endpoint.ts";
import { decodeAddressList, encodeAddressList, measureAddressList } from "./address.ts";
import {
  CONNECT_TOKEN_BYTES,
  KEY_BYTES,
  PRIVATE_TOKEN_BYTES,
  TOKEN_NONCE_BYTES,
  USER_DATA_BYTES,
  VERSION,
} from "./constants.ts";
import { NetcodeError } from "./errors.ts";
import { sealPrivateToken, writePrivateToken } from "./private-token.ts";
import { type ConnectToken, type ConnectTokenProblem, type RandomSource, systemRandom } from "./types.ts";

const PROTOCOL_ID_AT = 13;
const CREATE_AT = 21;
const EXPIRE_AT = 29;
const NONCE_AT = 37;
const PRIVATE_AT = 61;
const TIMEOUT_AT = 1085;
const ADDRESSES_AT = 1089;

/** Options of `generateConnectToken`. */
export interface GenerateConnectTokenOptions {
  /** 64 bits that name the game and its version. Other protocols' packets do not decrypt. */
  protocolId: bigint;
  /** 32 bytes, shared by whoever issues tokens and the servers. Never leaves them. */
  privateKey: Uint8Array;
  /** 64 bits, unique for each player: a server holds one connection per client id. */
  clientId: bigint;
  /** 1 to 32, where the client sends, tried in turn. Keep it short: all servers of a token share its keys. */
  publicAddresses: readonly Endpoint[];
  /** 1 to 32, as the servers know themselves. Default: the public ones. */
  privateAddresses?: readonly Endpoint[];
  /**
   * Lifetime in seconds, at least 1. Not less than the server's `maxTokenLifetimeSeconds`, or fresh tokens are refused
   * for a while after the server starts; not more, or a used token could be used again after a restart.
   */
  expireSeconds: number;
  /** Seconds of silence after which either side gives up. 0 or less: never. 32 bits signed. */
  timeoutSeconds: number;
  /** For the server's eyes, at most 256 bytes; zeros fill the rest. */
  userData?: Uint8Array;
  /** Now. */
  unixSeconds: number;
  /** Default: the platform's cryptographic generator. */
  random?: RandomSource;
}

/** Everything that a token is made of; {@link generateConnectToken} draws keys and nonce. */
export interface ConnectTokenFields {
  protocolId: bigint;
  privateKey: Uint8Array;
  clientId: bigint;
  createTimestamp: bigint;
  expireTimestamp: bigint;
  timeoutSeconds: number;
  publicAddresses: readonly Endpoint[];
  privateAddresses: readonly Endpoint[];
  clientToServerKey: Uint8Array;
  serverToClientKey: Uint8Array;
  userData: Uint8Array;
  nonce: Uint8Array;
}

/** STANDARD.md, "Connect Token". */
export function writeConnectToken(fields: ConnectTokenFields): Uint8Array {
  const addresses = encodeAddressList(fields.publicAddresses);
  const token = new Uint8Array(CONNECT_TOKEN_BYTES);
  const view = new DataView(token.buffer);
  token.set(VERSION);
  view.setBigUint64(PROTOCOL_ID_AT, fields.protocolId, true);
  view.setBigUint64(CREATE_AT, fields.createTimestamp, true);
  view.setBigUint64(EXPIRE_AT, fields.expireTimestamp, true);
  token.set(fields.nonce, NONCE_AT);
  token.set(sealPrivateToken(writePrivateToken(fields), fields), PRIVATE_AT);
  view.setInt32(TIMEOUT_AT, fields.timeoutSeconds, true);
  token.set(addresses, ADDRESSES_AT);
  const keysAt = ADDRESSES_AT + addresses.length;
  token.set(fields.clientToServerKey, keysAt);
  token.set(fields.serverToClientKey, keysAt + KEY_BYTES);
  return token;
}

/**
 * A connect token: 2048 bytes that admit one client once. Send it to the player over a secure channel (HTTPS): it holds
 * the keys of the connection.
 * @throws {NetcodeError} `invalid-key`, `invalid-address`, `invalid-addresses`, `invalid-user-data`, `invalid-timeout`,
 * `invalid-expiry`, `invalid-option`, `not-ready`.
 */
export function generateConnectToken(options: GenerateConnectTokenOptions): Uint8Array {
  const { expireSeconds, timeoutSeconds, userData = new Uint8Array(0), random = systemRandom } = options;
  checkPrivateKey(options.privateKey);
  if (!Number.isSafeInteger(expireSeconds) || expireSeconds < 1) {
    throw new NetcodeError(
      "invalid-expiry",
      `A token must live a whole number of seconds, 1 or more, not ${expireSeconds}.`,
    );
  }
  if (timeoutSeconds !== (timeoutSeconds | 0)) {
    throw new NetcodeError("invalid-timeout", `The timeout must be whole seconds in 32 bits, not ${timeoutSeconds}.`);
  }
  if (userData.length > USER_DATA_BYTES) {
    throw new NetcodeError(
      "invalid-user-data",
      `User data is at most ${USER_DATA_BYTES} bytes, not ${userData.length}.`,
    );
  }
  for (const id of [options.protocolId, options.clientId]) {
    if (id !== BigInt.asUintN(64, id)) throw new NetcodeError("invalid-option", `${id} does not fit 64 bits unsigned.`);
  }
  const draw = (bytes: number): Uint8Array => {
    const drawn = new Uint8Array(bytes);
    random(drawn);
    return drawn;
  };
  const createTimestamp = BigInt(Math.floor(options.unixSeconds));
  return writeConnectToken({
    protocolId: options.protocolId,
    privateKey: options.privateKey,
    clientId: options.clientId,
    createTimestamp,
    expireTimestamp: createTimestamp + BigInt(expireSeconds),
    // A timeout of exactly zero kills the handshake in the reference server; -1 says the same to every implementation.
    timeoutSeconds: timeoutSeconds <= 0 ? -1 : timeoutSeconds,
    publicAddresses: options.publicAddresses,
    privateAddresses: options.privateAddresses ?? options.publicAddresses,
    clientToServerKey: draw(KEY_BYTES),
    serverToClientKey: draw(KEY_BYTES),
    userData,
    nonce: draw(TOKEN_NONCE_BYTES),
  });
}

/**
 * Reads the public part, as the client sees it, or says why it is no token. The token's own times are compared with
 * each other, never with a clock. Bytes after the keys are not looked at.
 */
export function readConnectToken(bytes: Uint8Array): ConnectToken | ConnectTokenProblem {
  if (bytes.length !== CONNECT_TOKEN_BYTES) return "length";
  for (const [index, byte] of VERSION.entries()) if (bytes[index] !== byte) return "version";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const createTimestamp = view.getBigUint64(CREATE_AT, true);
  const expireTimestamp = view.getBigUint64(EXPIRE_AT, true);
  if (createTimestamp > expireTimestamp) return "timestamps";
  const listBytes = measureAddressList(bytes, ADDRESSES_AT);
  if (typeof listBytes === "string") return listBytes;
  const keysAt = ADDRESSES_AT + listBytes;
  return {
    protocolId: view.getBigUint64(PROTOCOL_ID_AT, true),
    createTimestamp,
    expireTimestamp,
    timeoutSeconds: view.getInt32(TIMEOUT_AT, true),
    serverAddresses: decodeAddressList(bytes.subarray(ADDRESSES_AT, keysAt)),
    clientToServerKey: new Uint8Array(bytes.subarray(keysAt, keysAt + KEY_BYTES)),
    serverToClientKey: new Uint8Array(bytes.subarray(keysAt + KEY_BYTES, keysAt + 2 * KEY_BYTES)),
    nonce: new Uint8Array(bytes.subarray(NONCE_AT, NONCE_AT + TOKEN_NONCE_BYTES)),
    privateData: new Uint8Array(bytes.subarray(PRIVATE_AT, PRIVATE_AT + PRIVATE_TOKEN_BYTES)),
  };
}

/** @throws {NetcodeError} `invalid-key` */
export function checkPrivateKey(key: Uint8Array): void {
  if (key.length !== KEY_BYTES) {
    throw new NetcodeError("invalid-key", `The private key must be ${KEY_BYTES} random bytes, not ${key.length}.`);
  }
}
