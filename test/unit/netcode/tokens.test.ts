import * as fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { decodeAddressList, encodeAddress, encodeAddressList } from "../../../sdk/src/netcode/address.ts";
import {
  type GenerateConnectTokenOptions,
  generateConnectToken,
  readConnectToken,
} from "../../../sdk/src/netcode/connect-token.ts";
import { NetcodeError } from "../../../sdk/src/netcode/errors.ts";
import { openPrivateToken, readPrivateToken } from "../../../sdk/src/netcode/private-token.ts";
import { getSlab, netcodeReady } from "../../../sdk/src/netcode/sodium.ts";

beforeAll(netcodeReady);

const options: GenerateConnectTokenOptions = {
  protocolId: 1n,
  privateKey: new Uint8Array(32).fill(7),
  clientId: 2n,
  publicAddresses: [{ address: "192.0.2.1", port: 7777 }],
  expireSeconds: 30,
  timeoutSeconds: 5,
  unixSeconds: 1_800_000_000.9,
};

const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const endpoint = fc.record({
  address: fc.oneof(
    fc.ipV4(),
    fc
      .array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 })
      .map((groups) => groups.map((group) => group.toString(16)).join(":")),
  ),
  port: fc.integer({ min: 0, max: 65535 }),
});
const addresses = fc.array(endpoint, { minLength: 1, maxLength: 32 });

test("what is written is read, by client and by server", () => {
  fc.assert(
    fc.property(
      u64,
      u64,
      addresses,
      addresses,
      fc.uint8Array({ maxLength: 256 }),
      (protocolId, clientId, open, hidden, userData) => {
        const bytes = generateConnectToken({
          ...options,
          protocolId,
          clientId,
          publicAddresses: open,
          privateAddresses: hidden,
          userData,
        });
        expect(bytes.length).toBe(2048);
        const token = readConnectToken(bytes);
        if (typeof token === "string") throw new Error(token);
        expect(token).toMatchObject({
          protocolId,
          createTimestamp: 1_800_000_000n,
          expireTimestamp: 1_800_000_030n,
          timeoutSeconds: 5,
        });
        expect(token.serverAddresses.map(encodeAddress)).toEqual(open.map(encodeAddress));
        const key = getSlab().storeCell(options.privateKey);
        const inside = openPrivateToken(
          token.privateData,
          bytes.subarray(13, 21),
          bytes.subarray(29, 37),
          token.nonce,
          key,
        );
        getSlab().releaseCell(key);
        if (typeof inside === "string") throw new Error(inside);
        expect(inside.clientId).toBe(clientId);
        expect(inside.clientToServerKey).toEqual(token.clientToServerKey);
        expect(inside.serverToClientKey).toEqual(token.serverToClientKey);
        expect(inside.clientToServerKey).not.toEqual(inside.serverToClientKey);
        expect(inside.userData.subarray(0, userData.length)).toEqual(userData);
        expect(inside.userData.subarray(userData.length).every((byte) => byte === 0)).toBe(true);
      },
    ),
    { numRuns: Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 100) },
  );
});

test("neither writing nor reading a token leaves its keys in WASM memory", () => {
  const bytes = generateConnectToken(options);
  const token = readConnectToken(bytes);
  if (typeof token === "string") throw new Error(token);
  const left = (): boolean =>
    [options.privateKey, token.clientToServerKey, token.serverToClientKey].some((key) =>
      Buffer.from(getSlab().u8.buffer).includes(key),
    );
  expect(left()).toBe(false);
  const key = getSlab().storeCell(options.privateKey);
  expect(left()).toBe(true);
  const inside = openPrivateToken(token.privateData, bytes.subarray(13, 21), bytes.subarray(29, 37), token.nonce, key);
  getSlab().releaseCell(key);
  expect(inside).toBeTypeOf("object");
  expect(left()).toBe(false);
});

test("two tokens share neither keys nor nonce", () => {
  const [a, b] = [readConnectToken(generateConnectToken(options)), readConnectToken(generateConnectToken(options))];
  if (typeof a === "string" || typeof b === "string") throw new Error("unreadable");
  expect(a.nonce).not.toEqual(b.nonce);
  expect(a.clientToServerKey).not.toEqual(b.clientToServerKey);
  expect(a.serverToClientKey).not.toEqual(b.serverToClientKey);
});

test("a timeout of zero is never minted: servers of the reference would drop the handshake at once", () => {
  for (const timeoutSeconds of [0, -1, -7]) {
    expect(readConnectToken(generateConnectToken({ ...options, timeoutSeconds }))).toMatchObject({
      timeoutSeconds: -1,
    });
  }
});

const endpoints = (address: string, port = 1): { address: string; port: number }[] => [{ address, port }];

test.for<[code: string, wrong: Partial<GenerateConnectTokenOptions>]>([
  ["invalid-key", { privateKey: new Uint8Array(31) }],
  ["invalid-addresses", { publicAddresses: [] }],
  ["invalid-addresses", { privateAddresses: Array.from({ length: 33 }, () => ({ address: "::1", port: 1 })) }],
  ["invalid-address", { publicAddresses: endpoints("example.org") }],
  ["invalid-address", { publicAddresses: endpoints("1.2.3") }],
  ["invalid-address", { publicAddresses: endpoints("1.2.3.256") }],
  ["invalid-address", { publicAddresses: endpoints("01.2.3.4") }],
  ["invalid-address", { publicAddresses: endpoints("010.0.0.1") }],
  ["invalid-address", { publicAddresses: endpoints("1::2::3") }],
  ["invalid-address", { publicAddresses: endpoints("1:2:3:4:5:6:7:8::") }],
  ["invalid-address", { publicAddresses: endpoints("1:2:3:4:5:6:7") }],
  ["invalid-address", { publicAddresses: endpoints("fe80::1%eth0") }],
  ["invalid-address", { publicAddresses: endpoints(":") }],
  ["invalid-address", { publicAddresses: endpoints("192.0.2.1", 65536) }],
  ["invalid-address", { publicAddresses: endpoints("192.0.2.1", 0.5) }],
  ["invalid-user-data", { userData: new Uint8Array(257) }],
  ["invalid-timeout", { timeoutSeconds: 2 ** 31 }],
  ["invalid-timeout", { timeoutSeconds: 0.5 }],
  ["invalid-expiry", { expireSeconds: 0 }],
  ["invalid-expiry", { expireSeconds: Number.NaN }],
  ["invalid-option", { clientId: -1n }],
  ["invalid-option", { protocolId: 2n ** 64n }],
])("%s: %o", ([code, wrong]) => {
  expect(() => generateConnectToken({ ...options, ...wrong })).toThrow(NetcodeError);
  expect(() => generateConnectToken({ ...options, ...wrong })).toThrow(expect.objectContaining({ code }));
});

test("an IPv4-mapped IPv6 address is an IPv6 address", () => {
  expect(encodeAddress({ address: "::ffff:192.0.2.1", port: 1 })[0]).toBe(2);
  expect(encodeAddress({ address: "::ffff:192.0.2.1", port: 1 })).toEqual(
    encodeAddress({ address: "::ffff:c000:201", port: 1 }),
  );
  // RFC 5952 section 5.
  const list = encodeAddressList([{ address: "::ffff:c000:201", port: 1 }]);
  expect(decodeAddressList(list)).toEqual([{ address: "::ffff:192.0.2.1", port: 1 }]);
});

test("reading never throws, and never reads a token whose beginning is damaged", () => {
  const valid = generateConnectToken({
    ...options,
    publicAddresses: Array.from({ length: 32 }, () => ({ address: "2001:db8::1", port: 1 })),
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(2047), fc.nat(255)), { maxLength: 20 }), fc.nat(2100), (edits, length) => {
      const bytes = new Uint8Array(2100);
      bytes.set(valid);
      for (const [at, value] of edits) bytes[at] = value;
      const token = readConnectToken(bytes.subarray(0, length % 3 === 0 ? length : 2048));
      if (typeof token === "string") return;
      expect(bytes.subarray(0, 13)).toEqual(valid.subarray(0, 13));
      expect(token.serverAddresses.length).toBeGreaterThanOrEqual(1);
      expect(token.serverAddresses.length).toBeLessThanOrEqual(32);
    }),
    { numRuns: Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 1000) },
  );
});

test("an authentic private token of arbitrary content is read or refused, never more", () => {
  const content = fc.uint8Array({ minLength: 1024, maxLength: 1024 });
  fc.assert(
    fc.property(content, fc.nat(40), fc.array(fc.nat(3), { maxLength: 40 }), (bytes, count, types) => {
      new DataView(bytes.buffer).setUint32(12, count, true);
      for (let index = 0, at = 16; index < types.length; index++) {
        bytes[at] = types[index] ?? 0;
        at += types[index] === 1 ? 7 : 19;
      }
      const token = readPrivateToken(bytes);
      if (token === null) return;
      expect(count).toBeGreaterThanOrEqual(1);
      expect(count).toBeLessThanOrEqual(32);
      expect(token.userData.length).toBe(256);
      expect(token.serverToClientKey.length).toBe(32);
    }),
    { numRuns: Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 500) },
  );
});
