import { expect, test } from "vitest";
import { NetcodeClient } from "../../../sdk/src/netcode/client.ts";
import { generateConnectToken } from "../../../sdk/src/netcode/connect-token.ts";
import { netcodeReady } from "../../../sdk/src/netcode/sodium.ts";

const token = (): Uint8Array =>
  generateConnectToken({
    protocolId: 1n,
    privateKey: new Uint8Array(32),
    clientId: 1n,
    publicAddresses: [{ address: "192.0.2.1", port: 1 }],
    expireSeconds: 30,
    timeoutSeconds: 5,
    unixSeconds: 1,
  });

test("before netcodeReady every use says so; afterwards it works", async () => {
  const handler = { send: () => {}, stateChanged: () => {}, payload: () => {} };
  expect(token).toThrow(expect.objectContaining({ code: "not-ready" }));
  expect(() => new NetcodeClient(handler)).toThrow(expect.objectContaining({ code: "not-ready" }));
  await netcodeReady();
  await netcodeReady();
  expect(token().length).toBe(2048);
  expect(new NetcodeClient(handler).state).toBe(0);
});
