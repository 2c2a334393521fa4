// A token's addresses are its issuer's word: a hostile host puts others' into it.
import { expect, test } from "vitest";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { generateConnectToken } from "../../../sdk/src/netcode/connect-token.ts";
import { netcodeReady } from "../../../sdk/src/netcode/sodium.ts";
import { connectSession } from "../../../sdk/src/session/connect.ts";
import { dialableAddresses, MAX_ADDRESSES } from "../../../sdk/src/session/way.ts";

const ATTEMPT_MS = 2_500;
const LIMIT = 3;
/** What the issuer's answer has at the least. */
const TOKEN_IN_BASE64 = 2732;
const endpoints = (...addresses: string[]) => addresses.map((address) => ({ address, port: 7777 }));

test("32 addresses of a third party get next to nothing, though the attempt goes on for 2.5 s", async () => {
  await netcodeReady();
  await using stack = new AsyncDisposableStack();
  const counts = new Map<number, number>();
  let bytes = 0;
  const publicAddresses = Array.from({ length: 32 }, (_, i) => {
    const socket = stack.use(UDPSocket.open({ address: `127.0.9.${i + 1}` }));
    socket.onDatagram = (data) => {
      counts.set(i, (counts.get(i) ?? 0) + 1);
      bytes += data.length;
    };
    return { address: `127.0.9.${i + 1}`, port: socket.localPort };
  });
  const token = generateConnectToken({
    protocolId: 1n,
    privateKey: new Uint8Array(32),
    clientId: 1n,
    publicAddresses,
    expireSeconds: 30,
    timeoutSeconds: 15,
    unixSeconds: Math.floor(Date.now() / 1000),
  });
  const attempt = connectSession(token, { dialed: "127.0.0.1", timeoutMs: ATTEMPT_MS });
  await expect(attempt).rejects.toMatchObject({ code: "timeout" });
  console.log(`token of 32 addresses: ${[...counts.values()].reduce((a, b) => a + b, 0)} packets, ${bytes} bytes`);
  // The first has a head start, and the others share what is left.
  expect(counts.size).toBe(MAX_ADDRESSES - 1);
  expect(bytes).toBeGreaterThan(0);
  expect(bytes).toBeLessThanOrEqual(LIMIT * TOKEN_IN_BASE64);
});

test("a host on the internet reaches neither our network nor our machine", async () => {
  const named = endpoints(
    "192.168.1.1",
    "127.0.0.1",
    "5.5.5.5",
    "::1",
    "0.0.0.0",
    "fd00::1",
    "255.255.255.255",
    "2a11::1",
  );
  const at = (dialed: string | undefined): string[] => dialableAddresses(named, dialed).map(({ address }) => address);
  expect(at("5.5.5.5")).toEqual(["5.5.5.5", "2a11::1"]);
  expect(at("2a11::1")).toEqual(["5.5.5.5", "2a11::1"]);
  expect(at("192.168.1.2")).toEqual(["192.168.1.1", "5.5.5.5", "fd00::1", "2a11::1"]);
  expect(at("127.0.0.1")).toEqual(["192.168.1.1", "127.0.0.1", "5.5.5.5", "::1", "fd00::1", "2a11::1"]);
  expect(at(undefined)).toEqual(at("127.0.0.1"));
});

test("a token without an address that may be dialed opens nothing", async () => {
  await netcodeReady();
  const token = generateConnectToken({
    protocolId: 1n,
    privateKey: new Uint8Array(32),
    clientId: 1n,
    publicAddresses: endpoints("192.168.1.1"),
    expireSeconds: 30,
    timeoutSeconds: 15,
    unixSeconds: Math.floor(Date.now() / 1000),
  });
  await expect(connectSession(token, { dialed: "5.5.5.5" })).rejects.toMatchObject({ code: "invalid-token" });
});
