import { beforeAll, describe, expect, test } from "vitest";
import { decodeAddressList, encodeAddress, encodeAddressList } from "../../../sdk/src/netcode/address.ts";
import {
  openChallengeToken,
  sealChallengeToken,
  writeChallengeToken,
} from "../../../sdk/src/netcode/challenge-token.ts";
import { readConnectToken, writeConnectToken } from "../../../sdk/src/netcode/connect-token.ts";
import { CLIENT_READS, PacketCodec, SERVER_READS } from "../../../sdk/src/netcode/packet.ts";
import { openPrivateToken, readPrivateToken, writePrivateToken } from "../../../sdk/src/netcode/private-token.ts";
import { ReplayWindow } from "../../../sdk/src/netcode/replay.ts";
import {
  isRequest,
  judgeExpire,
  openRequest,
  requestExpire,
  requestTag,
  writeRequest,
} from "../../../sdk/src/netcode/request.ts";
import { getSlab, netcodeReady } from "../../../sdk/src/netcode/sodium.ts";
import { TokenEntry, TokenHistory } from "../../../sdk/src/netcode/token-history.ts";
import { fromHex, halves, parseEndpoint, toHex, type Vector, vectorCount, vectorsOf } from "./vectors.ts";

beforeAll(netcodeReady);

const TYPES = ["request", "denied", "challenge", "response", "keep_alive", "payload", "disconnect"];

function u64(value: string): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

function withKey<T>(key: string, use: (cell: number) => T): T {
  const cell = getSlab().storeCell(fromHex(key));
  try {
    return use(cell);
  } finally {
    getSlab().releaseCell(cell);
  }
}

interface Fields {
  payload?: string;
  client_index?: number;
  max_clients?: number;
  challenge_token_sequence?: string;
  challenge_token_data?: string;
  expire_timestamp?: string;
  nonce?: string;
  private_data?: string;
  private_token_readable?: boolean;
  private_tag?: string;
}

/** What the body of an opened packet says, in the vectors' words. */
function readFields(type: string, length: number): Fields {
  const body = getSlab().plainView(length).slice();
  const view = new DataView(body.buffer);
  if (type === "payload") return { payload: toHex(body) };
  if (type === "keep_alive") return { client_index: view.getUint32(0, true), max_clients: view.getUint32(4, true) };
  if (type === "challenge" || type === "response") {
    return {
      challenge_token_sequence: view.getBigUint64(0, true).toString(),
      challenge_token_data: toHex(body.subarray(8)),
    };
  }
  return {};
}

interface Read {
  expect: string;
  type?: string;
  sequence?: string;
  fields?: Fields;
}

function readEncrypted(
  wire: Uint8Array,
  codec: PacketCodec,
  key: number,
  window: ReplayWindow | null,
  role: string,
): Read {
  if (wire.length < 2) return { expect: "reject" };
  const type = codec.open(wire, key, window, role === "client" ? CLIENT_READS : SERVER_READS);
  if (type < 0) return { expect: "reject" };
  const name = TYPES[type] ?? "";
  const sequence = ((BigInt(codec.sequenceHigh) << 32n) | BigInt(codec.sequenceLow)).toString();
  return { expect: "accept", type: name, sequence, fields: readFields(name, codec.length) };
}

function readRequest(vector: Vector & PacketRead): Read {
  const wire = fromHex(vector.wire);
  if (!isRequest(wire, u64(vector.protocol_id))) return { expect: "reject" };
  const expire = requestExpire(wire);
  if (judgeExpire(expire, Number(vector.current_timestamp), 0, 0) !== "good") return { expect: "reject" };
  const token = withKey(vector.private_key ?? "", (cell) => openRequest(wire, cell));
  if (token === "forged") return { expect: "reject" };
  const tag = toHex(Uint8Array.from(requestTag(wire), (character) => character.charCodeAt(0)));
  return {
    expect: "accept",
    type: "request",
    fields: {
      expire_timestamp: String(expire),
      private_token_readable: token !== "unreadable",
      private_tag: tag,
    },
  };
}

interface PacketRead {
  role: string;
  key: string | null;
  private_key?: string;
  current_timestamp?: string;
  protocol_id: string;
  wire: string;
  type?: string;
  sequence?: string;
  fields?: Fields;
}

function expected(vector: Read): Read {
  const read: Read = { expect: vector.expect };
  if (vector.type !== undefined) read.type = vector.type;
  if (vector.sequence !== undefined) read.sequence = vector.sequence;
  if (vector.fields !== undefined) read.fields = vector.fields;
  return read;
}

test("all 264 vectors are of a kind that some test reads", () => {
  const kinds = [
    "aead",
    "address",
    "connect_token",
    "connect_token_read",
    "private_token_open",
    "packet",
    "packet_read",
  ];
  kinds.push("challenge_token", "challenge_token_open", "replay", "packet_stream", "client_trace", "server_trace");
  kinds.push("token_history", "restart_rule");
  expect(kinds.reduce((sum, kind) => sum + vectorsOf(kind).length, 0)).toBe(vectorCount);
  expect(vectorCount).toBe(264);
});

test.for(vectorsOf<Record<"algorithm" | "key" | "nonce" | "aad" | "plaintext" | "ciphertext_and_tag", string>>("aead"))(
  "$name",
  (vector) => {
    const slab = getSlab();
    const [aad, plain] = [fromHex(vector.aad), fromHex(vector.plaintext)];
    const sealed = fromHex(vector.ciphertext_and_tag);
    const extended = vector.algorithm.startsWith("x");
    withKey(vector.key, (key) => {
      slab.u8.set(fromHex(vector.nonce), slab.nonce);
      slab.u8.set(aad, slab.ad);
      slab.u8.set(plain, slab.body);
      if (extended) slab.sealToken(slab.wireOut, slab.body, plain.length, aad.length, slab.nonce, key);
      else slab.seal(slab.wireOut, slab.body, plain.length, slab.ad, aad.length, key);
      expect(toHex(slab.wireOutView(sealed.length))).toBe(vector.ciphertext_and_tag);
      const open = (): boolean =>
        extended
          ? slab.openToken(slab.plain, slab.wireIn, sealed.length, aad.length, slab.nonce, key)
          : slab.open(slab.plain, slab.wireIn, sealed.length, slab.ad, aad.length, key);
      slab.u8.set(sealed, slab.wireIn);
      expect(open()).toBe(true);
      expect(toHex(slab.plainView(plain.length))).toBe(vector.plaintext);
      slab.u8.set([(sealed.at(-1) ?? 0) ^ 1], slab.wireIn + sealed.length - 1);
      expect(open()).toBe(false);
    });
  },
);

test.for(vectorsOf<{ text: string; type: number; port: number; encoded: string; canonical_text: string }>("address"))(
  "$name",
  (vector) => {
    const endpoint = parseEndpoint(vector.text);
    expect(toHex(encodeAddress(endpoint))).toBe(vector.encoded);
    const [decoded] = decodeAddressList(encodeAddressList([endpoint]));
    expect(decoded).toEqual(parseEndpoint(vector.canonical_text));
    expect(encodeAddress(endpoint)[0]).toBe(vector.type);
    expect(decoded?.port).toBe(vector.port);
  },
);

interface TokenVector {
  protocol_id: string;
  client_id: string;
  create_timestamp: string;
  expire_timestamp: string;
  timeout_seconds: number;
  public_server_addresses: string[];
  private_server_addresses: string[];
  client_to_server_key: string;
  server_to_client_key: string;
  user_data: string;
  private_key: string;
  nonce: string;
  private_plaintext: string;
  private_encrypted: string;
  token: string;
}

test.for(vectorsOf<TokenVector>("connect_token"))("$name", (vector) => {
  const fields = {
    protocolId: BigInt(vector.protocol_id),
    privateKey: fromHex(vector.private_key),
    clientId: BigInt(vector.client_id),
    createTimestamp: BigInt(vector.create_timestamp),
    expireTimestamp: BigInt(vector.expire_timestamp),
    timeoutSeconds: vector.timeout_seconds,
    publicAddresses: vector.public_server_addresses.map(parseEndpoint),
    privateAddresses: vector.private_server_addresses.map(parseEndpoint),
    clientToServerKey: fromHex(vector.client_to_server_key),
    serverToClientKey: fromHex(vector.server_to_client_key),
    userData: fromHex(vector.user_data),
    nonce: fromHex(vector.nonce),
  };
  expect(toHex(writePrivateToken(fields))).toBe(vector.private_plaintext);
  expect(toHex(writeConnectToken(fields))).toBe(vector.token);

  const read = readConnectToken(fromHex(vector.token));
  expect(read).toEqual({
    protocolId: fields.protocolId,
    createTimestamp: fields.createTimestamp,
    expireTimestamp: fields.expireTimestamp,
    timeoutSeconds: fields.timeoutSeconds,
    serverAddresses: fields.publicAddresses,
    clientToServerKey: fields.clientToServerKey,
    serverToClientKey: fields.serverToClientKey,
    nonce: fields.nonce,
    privateData: fromHex(vector.private_encrypted),
  });
  const privateToken = readPrivateToken(fromHex(vector.private_plaintext));
  expect(privateToken).toEqual({
    clientId: fields.clientId,
    timeoutSeconds: fields.timeoutSeconds,
    addressList: encodeAddressList(fields.privateAddresses),
    clientToServerKey: fields.clientToServerKey,
    serverToClientKey: fields.serverToClientKey,
    userData: fields.userData,
  });
});

test.for(vectorsOf<TokenVector & { server_addresses: string[] }>("connect_token_read"))("$name", (vector) => {
  const read = readConnectToken(fromHex(vector.token));
  if (vector.expect === "invalid") {
    expect(read).toBeTypeOf("string");
    return;
  }
  expect(read).toMatchObject({
    protocolId: BigInt(vector.protocol_id),
    createTimestamp: BigInt(vector.create_timestamp),
    expireTimestamp: BigInt(vector.expire_timestamp),
    timeoutSeconds: vector.timeout_seconds,
    serverAddresses: vector.server_addresses.map(parseEndpoint),
  });
});

test.for(vectorsOf<TokenVector & { server_addresses: string[] }>("private_token_open"))("$name", (vector) => {
  const opened = withKey(vector.private_key, (key) =>
    openPrivateToken(
      fromHex(vector.private_encrypted),
      u64(vector.protocol_id),
      u64(vector.expire_timestamp),
      fromHex(vector.nonce),
      key,
    ),
  );
  if (vector.expect === "decrypt_failed") expect(opened).toBe("forged");
  else if (vector.expect === "read_failed") expect(opened).toBe("unreadable");
  else {
    expect(opened).toMatchObject({
      clientId: BigInt(vector.client_id),
      timeoutSeconds: vector.timeout_seconds,
      addressList: encodeAddressList(vector.server_addresses.map(parseEndpoint)),
    });
  }
});

interface PacketVector {
  type: string;
  type_id: number;
  protocol_id: string;
  sequence: string;
  key: string;
  fields: Fields;
  prefix_byte: number;
  nonce: string;
  plaintext: string;
  wire: string;
}

test.for(vectorsOf<PacketVector>("packet"))("$name", (vector) => {
  if (vector.type === "request") {
    const wire = writeRequest({
      protocolId: BigInt(vector.protocol_id),
      expireTimestamp: BigInt(vector.fields.expire_timestamp ?? 0),
      nonce: fromHex(vector.fields.nonce ?? ""),
      privateData: fromHex(vector.fields.private_data ?? ""),
    });
    expect(toHex(wire)).toBe(vector.wire);
    expect(isRequest(wire, u64(vector.protocol_id))).toBe(true);
    return;
  }
  const slab = getSlab();
  const codec = new PacketCodec(BigInt(vector.protocol_id));
  const [low, high] = halves(vector.sequence);
  const { fields } = vector;
  withKey(vector.key, (key) => {
    const plain = fromHex(vector.plaintext);
    let bytes: number;
    if (fields.payload !== undefined) bytes = codec.sealPayload(fromHex(fields.payload), low, high, key);
    else if (fields.client_index !== undefined) {
      bytes = codec.sealKeepAlive(fields.client_index, fields.max_clients ?? 0, low, high, key);
    } else {
      slab.u8.set(plain, slab.body);
      bytes = codec.seal(vector.type_id, low, high, key, plain.length);
    }
    const wire = slab.wireOutView(bytes).slice();
    expect(toHex(wire)).toBe(vector.wire);
    expect(wire[0]).toBe(vector.prefix_byte);
    expect(toHex(slab.u8.subarray(slab.nonce, slab.nonce + 12))).toBe(vector.nonce);
    const role = vector.type === "response" ? "server" : "client";
    expect(readEncrypted(wire, codec, key, null, role)).toEqual({
      expect: "accept",
      type: vector.type,
      sequence: vector.sequence,
      fields,
    });
  });
  codec.release();
});

test.for(vectorsOf<PacketRead>("packet_read"))("$name", (vector) => {
  const wire = fromHex(vector.wire);
  if (wire[0] === 0 && vector.role === "server") {
    expect(readRequest(vector)).toEqual(expected(vector as Read));
    return;
  }
  const codec = new PacketCodec(BigInt(vector.protocol_id));
  const read = vector.key
    ? withKey(vector.key, (key) => readEncrypted(wire, codec, key, null, vector.role))
    : { expect: "reject" };
  expect(read).toEqual(expected(vector as Read));
  codec.release();
});

test.for(vectorsOf<Omit<PacketRead, "wire"> & { steps: (Read & { wire: string; why: string })[] }>("packet_stream"))(
  "$name",
  (vector) => {
    const codec = new PacketCodec(BigInt(vector.protocol_id));
    const window = new ReplayWindow();
    withKey(vector.key ?? "", (key) => {
      for (const step of vector.steps) {
        expect(readEncrypted(fromHex(step.wire), codec, key, window, vector.role), step.why).toEqual(expected(step));
      }
    });
    codec.release();
  },
);

test.for(
  vectorsOf<Record<"client_id" | "user_data" | "sequence" | "key" | "plaintext" | "encrypted", string>>(
    "challenge_token",
  ),
)("$name", (vector) => {
  const token = { clientId: BigInt(vector.client_id), userData: fromHex(vector.user_data) };
  expect(toHex(writeChallengeToken(token))).toBe(vector.plaintext);
  const [low, high] = halves(vector.sequence);
  withKey(vector.key, (key) => {
    expect(toHex(sealChallengeToken(token, low, high, key))).toBe(vector.encrypted);
    expect(openChallengeToken(fromHex(vector.encrypted), low, high, key)).toEqual(token);
  });
});

test.for(
  vectorsOf<Record<"client_id" | "user_data" | "sequence" | "key" | "encrypted", string>>("challenge_token_open"),
)("$name", (vector) => {
  const [low, high] = halves(vector.sequence);
  const opened = withKey(vector.key, (key) => openChallengeToken(fromHex(vector.encrypted), low, high, key));
  const token = { clientId: BigInt(vector.client_id ?? 0), userData: fromHex(vector.user_data ?? "") };
  expect(opened).toEqual(vector.expect === "ok" ? token : null);
});

test.for(
  vectorsOf<{ steps: { sequence: string; authentic: boolean; expect: string }[]; most_recent_after: string }>("replay"),
)("$name", (vector) => {
  const window = new ReplayWindow();
  for (const [index, step] of vector.steps.entries()) {
    const [low, high] = halves(step.sequence);
    const passes = window.accepts(low, high);
    const outcome = !passes ? "reject" : step.authentic ? "accept" : "pass_but_not_recorded";
    expect(outcome, `step ${index}: ${step.sequence}`).toBe(step.expect);
    if (passes && step.authentic) window.record(low, high);
  }
  expect(window.newest.toString()).toBe(vector.most_recent_after);
});

describe("rules of netcode 1.4.5", () => {
  interface HistoryStep {
    op: string;
    token: string;
    address: string;
    expire_timestamp: string;
    now: string;
    expect: string;
  }
  test.for(vectorsOf<{ capacity: number; steps: HistoryStep[] }>("token_history"))("$name", (vector) => {
    const history = new TokenHistory(vector.capacity);
    const entries = new Map<string, TokenEntry>();
    for (const [index, step] of vector.steps.entries()) {
      const { address, port } = parseEndpoint(step.address);
      let outcome = "consumed";
      if (step.op === "client_installed") (entries.get(step.token) as TokenEntry).consumed = true;
      else {
        const entry = history.admit(step.token, address, port, Number(step.expire_timestamp), Number(step.now));
        if (entry instanceof TokenEntry) {
          outcome = entries.get(step.token) === entry ? "admit_pending" : "admit_new";
          entries.set(step.token, entry);
        } else outcome = entry === "used" ? "refuse_used" : "refuse_full";
      }
      expect(outcome, `step ${index}`).toBe(step.expect);
    }
  });

  interface RestartVector {
    server_start_time: string;
    max_connect_token_lifetime: number;
    expire_timestamp: string;
    now: string;
  }
  test.for(vectorsOf<RestartVector>("restart_rule"))("$name", (vector) => {
    const judgement = judgeExpire(
      Number(vector.expire_timestamp),
      Number(vector.now),
      Number(vector.server_start_time),
      vector.max_connect_token_lifetime,
    );
    const words = { good: "continue", expired: "ignore_expired", "predates-start": "ignore_predates_start" };
    expect(words[judgement]).toBe(vector.expect);
  });
});
