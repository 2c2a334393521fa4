/** What a router cannot say of its external address, somebody outside can: absent, faulty, private, of another family. */
import { describe, expect, test } from "vitest";
import type { Via } from "../../sdk/src/gateway/types.ts";
import { eventsOf, fastClock, mapperAt, REQUEST, refusal } from "./gateway-mapping.ts";
import { PortControlServer } from "./port-control-server.ts";
import { type ActionAnswer, Fault, ScriptedGateway } from "./scripted-gateway.ts";

const SEEN = "11.99.88.77";

/** Answers to GetExternalIPAddress that tell no address that a router could have. */
const UNSAID: [string, () => ActionAnswer, number | undefined][] = [
  ["501", () => new Fault(501), 501],
  ["401", () => new Fault(401), 401],
  ["-1, which is no code", () => new Fault(-1), -1],
  ["a page", () => "<html><body>Log in</body></html>", undefined],
  ["nothing", () => ({ NewExternalIPAddress: "" }), undefined],
  ["no address at all", () => ({ NewExternalIPAddress: "0.0.0.0" }), undefined],
  ["its own loopback", () => ({ NewExternalIPAddress: "127.0.0.1" }), undefined],
  ["a broadcast", () => ({ NewExternalIPAddress: "255.255.255.255" }), undefined],
  ["an IPv6 address", () => ({ NewExternalIPAddress: "2a11::1" }), undefined],
  ["a word", () => ({ NewExternalIPAddress: "(null)" }), undefined],
];

describe.each(UNSAID)("UPnP: the external address is %s", (_name, answer, code) => {
  const options = { actions: { GetExternalIPAddress: answer } };

  test("nobody knows it: refused, with the cause", async () => {
    const { error, gateway } = await refusal(options);
    expect(error.kind).toBe("double-nat");
    expect(error.message).toMatch(/tells no external address/);
    expect(error.code).toBe(code);
    if (code !== undefined) expect(error.message).toContain(`GetExternalIPAddress: ${code}`);
    expect(gateway.count("AddPortMapping")).toBe(0);
  });

  test("STUN knows it: mapped there", async () => {
    await using gateway = await ScriptedGateway.start(options);
    await using mapper = mapperAt(gateway);
    const mapping = await mapper.map({ ...REQUEST, publicAddress: async () => SEEN });
    expect(mapping).toMatchObject({ externalAddress: SEEN, externalPort: 7777, proof: "router" });
  });

  test("acceptPrivateAddress: mapped, wherever that is", async () => {
    await using gateway = await ScriptedGateway.start(options);
    await using mapper = mapperAt(gateway);
    const mapping = await mapper.map({ ...REQUEST, acceptPrivateAddress: true });
    expect(mapping).toMatchObject({ externalAddress: "", externalPort: 7777 });
  });
});

describe("a private external address", () => {
  test("what STUN sees is another router's: refused and named", async () => {
    const request = { ...REQUEST, publicAddress: () => SEEN };
    const { error } = await refusal({ externalAddress: "192.168.100.2" }, { request });
    expect(error.kind).toBe("double-nat");
    expect(error.message).toMatch(/192\.168\.100\.2 is private.*double NAT/);
  });

  test("acceptPrivateAddress: mapped, as behind a provider's box that passes everything on", async () => {
    await using gateway = await ScriptedGateway.start({ externalAddress: "192.168.100.2" });
    await using mapper = mapperAt(gateway);
    const mapping = await mapper.map({ ...REQUEST, acceptPrivateAddress: true });
    expect(mapping).toMatchObject({ externalAddress: "192.168.100.2", externalPort: 7777, proof: "router" });
  });
});

test("an answer that fails or is no public address is no knowledge", async () => {
  for (const publicAddress of [
    () => Promise.reject(new Error("no STUN server answered")),
    () => undefined,
    () => "10.0.0.1",
    () => "nonsense",
  ]) {
    const options = { actions: { GetExternalIPAddress: (): Fault => new Fault(501) } };
    const { error } = await refusal(options, { request: { ...REQUEST, publicAddress } });
    expect(error.kind).toBe("double-nat");
  }
});

test("another address seen later is told; one that is not seen for the moment is no loss", async () => {
  let seen: string | undefined = SEEN;
  await using gateway = await ScriptedGateway.start({ actions: { GetExternalIPAddress: () => new Fault(501) } });
  await using mapper = mapperAt(gateway, { watchIntervalMs: 500, environment: { clock: fastClock(10) } });
  const events = eventsOf(mapper);
  const mapping = await mapper.map({ ...REQUEST, publicAddress: () => seen });
  seen = undefined;
  const looks = gateway.count("GetSpecificPortMappingEntry");
  await expect.poll(() => gateway.count("GetSpecificPortMappingEntry") - looks).toBeGreaterThanOrEqual(2);
  expect(mapping.externalAddress).toBe(SEEN);
  seen = "11.99.88.78";
  await expect.poll(() => mapping.externalAddress).toBe("11.99.88.78");
  expect(events.map(({ event }) => event)).toEqual(["mapped", "changed"]);
});

test.each<Via>(["nat-pmp", "pcp"])("%s: the router tells 0.0.0.0", async (via) => {
  const server = new PortControlServer({ externalAddress: [0, 0, 0, 0] });
  await using gateway = await ScriptedGateway.start({ portControl: server.answer });
  await using mapper = mapperAt(gateway, { via: [via] });
  expect(await mapper.map({ ...REQUEST, publicAddress: () => SEEN })).toMatchObject({ via, externalAddress: SEEN });
  await using other = mapperAt(gateway, { via: [via] });
  await expect(other.map({ ...REQUEST, internalPort: 7778 })).rejects.toMatchObject({ kind: "double-nat" });
});
