import { afterEach, describe, expect, test } from "vitest";
import { optionsFromEnvironment } from "../../../sdk/src/connectivity/environment.ts";
import { withDefaults } from "../../../sdk/src/connectivity/options.ts";

const NAMES = ["SALLYPORT_VIA", "SALLYPORT_STUN_URLS", "SALLYPORT_RENEW_INTERVAL_MS"] as const;
const before = NAMES.map((name) => [name, process.env[name]] as const);
afterEach(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

describe("optionsFromEnvironment()", () => {
  test("an empty environment gives nothing, so that the defaults hold", () => {
    expect(optionsFromEnvironment({})).toEqual({});
  });

  test.each([
    ["yes", true],
    [" TRUE ", true],
    ["no", false],
  ])("SALLYPORT_RELAY_ONLY=%j", (value, relayOnly) => {
    expect(optionsFromEnvironment({ SALLYPORT_RELAY_ONLY: value })).toEqual({ relayOnly });
    expect(withDefaults({ relayOnly }).relayOnly).toBe(relayOnly);
  });

  test("who hides announces nothing", () => {
    expect(() => withDefaults({ relayOnly: true, announce: { host: "game.example" } })).toThrow(RangeError);
  });

  test.each([
    ["none", []],
    ["upnp", ["upnp"]],
    ["upnp,pcp", ["pcp", "upnp"]],
    [" nat-pmp upnp ", ["nat-pmp", "upnp"]],
    ["carrier-pigeon", []],
  ])("SALLYPORT_VIA=%j", (value, via) => {
    expect(optionsFromEnvironment({ SALLYPORT_VIA: value })).toEqual({ via });
  });

  test.each([
    ["stun:stun.example:3478", ["stun:stun.example:3478"]],
    ["a.example, b.example:3479  c.example", ["a.example", "b.example:3479", "c.example"]],
    ["", []],
  ])("SALLYPORT_STUN_URLS=%j", (value, stunServers) => {
    expect(optionsFromEnvironment({ SALLYPORT_STUN_URLS: value })).toEqual({ stunServers });
  });

  test.each([
    ["1500", { renewIntervalMs: 1500 }],
    ["0", {}],
    ["-1", {}],
    ["soon", {}],
    ["", {}],
  ])("SALLYPORT_RENEW_INTERVAL_MS=%j", (value, options) => {
    expect(optionsFromEnvironment({ SALLYPORT_RENEW_INTERVAL_MS: value })).toEqual(options);
  });

  test.each([
    ["192.168.1.1", { gateway: "192.168.1.1" }],
    [" fe80::1 ", { gateway: "fe80::1" }],
    ["fritz.box", {}],
    ["", {}],
  ])("SALLYPORT_GATEWAY=%j", (value, options) => {
    expect(optionsFromEnvironment({ SALLYPORT_GATEWAY: value })).toEqual(options);
  });

  test.each([
    ["1", true],
    ["yes", true],
    [" TRUE ", true],
    ["no", false],
    ["0", false],
    ["", false],
  ])("SALLYPORT_ACCEPT_PRIVATE_ADDRESS=%j", (value, acceptPrivateAddress) => {
    expect(optionsFromEnvironment({ SALLYPORT_ACCEPT_PRIVATE_ADDRESS: value })).toEqual({ acceptPrivateAddress });
  });

  test("reads the program's own environment by default", () => {
    process.env["SALLYPORT_VIA"] = "pcp";
    process.env["SALLYPORT_STUN_URLS"] = "stun.example";
    process.env["SALLYPORT_RENEW_INTERVAL_MS"] = "60000";
    expect(optionsFromEnvironment()).toEqual({
      via: ["pcp"],
      stunServers: ["stun.example"],
      renewIntervalMs: 60_000,
    });
  });
});

describe("the library itself", () => {
  test("does not read the environment", () => {
    process.env["SALLYPORT_VIA"] = "pcp";
    process.env["SALLYPORT_STUN_URLS"] = "stun.example";
    process.env["SALLYPORT_RENEW_INTERVAL_MS"] = "60000";
    expect(withDefaults({})).toMatchObject({
      via: ["pcp", "nat-pmp", "upnp"],
      stunServers: [],
      renewIntervalMs: 300_000,
    });
  });

  test("refuses a gateway that is no IP address", () => {
    expect(() => withDefaults({ gateway: "fritz.box" })).toThrow("gateway is fritz.box; give the router's IP address");
    expect(withDefaults({ gateway: "192.168.1.1" })).toMatchObject({ gateway: "192.168.1.1" });
  });

  test.each([{}, { via: ["upnp"] as const }])("but for SALLYPORT_VIA=none, which outranks %j", (options) => {
    process.env["SALLYPORT_VIA"] = "none";
    expect(withDefaults(options).via).toEqual([]);
  });
});
