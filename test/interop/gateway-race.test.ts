/** PCP, NAT-PMP and UPnP of one router race: one that is silent or garbled delays the others by a moment only. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Via } from "../../sdk/src/gateway/types.ts";
import { removeState } from "../remove-state.ts";
import { eventsOf, mapperAt, REQUEST } from "./gateway-mapping.ts";
import { PortControlServer, type PortControlServerOptions } from "./port-control-server.ts";
import { ScriptedGateway, type ScriptedOptions } from "./scripted-gateway.ts";

const VIA: readonly Via[] = ["pcp", "nat-pmp", "upnp"];
/** The promise is 1.5 s; this machine is shared. */
const AT_MOST_MS = 1500;

let state = "";
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "sallyport-race-"));
});
afterEach(() => removeState(state));

type Instead = NonNullable<PortControlServerOptions["instead"]>;

const isPcpMap = (datagram: Buffer): boolean => datagram[0] === 2 && datagram[1] === 1;
const isNatPmpMap = (datagram: Buffer): boolean => datagram[0] === 0 && datagram[1] !== 0;

/** Maps over whatever works, and says how and how soon. */
async function race(
  scripted: ScriptedOptions,
  portControl: PortControlServerOptions | undefined,
  protocol: "udp" | "both" = "udp",
): Promise<{ via: Via; ms: number; gateway: ScriptedGateway; server: PortControlServer | undefined }> {
  const server = portControl && new PortControlServer(portControl);
  await using gateway = await ScriptedGateway.start({
    ...scripted,
    ...(server ? { portControl: server.answer } : {}),
  });
  await using mapper = mapperAt(gateway, { via: VIA, journal: state });
  const began = performance.now();
  const mapping = await mapper.map({ ...REQUEST, protocol });
  const ms = performance.now() - began;
  await mapper.close();
  expect(gateway.table.size).toBe(0);
  return { via: mapping.via, ms, gateway, server };
}

const silentPcp: Instead = (datagram) => (isPcpMap(datagram) ? [] : undefined);
const silentNatPmp: Instead = (datagram) => (isNatPmpMap(datagram) ? [] : undefined);
const silentBoth: Instead = (datagram) =>
  silentPcp(datagram, datagram, NOBODY) ?? silentNatPmp(datagram, datagram, NOBODY);
const NOBODY = new PortControlServer({});
/** The internal port comes back as its low byte. */
const garbledNatPmp: Instead = (datagram, right) => {
  if (!isNatPmpMap(datagram)) return undefined;
  const answer = Buffer.from(right);
  answer.writeUInt16BE(datagram.readUInt16BE(4) % 256, 8);
  answer.writeUInt16BE(datagram.readUInt16BE(6) % 256, 10);
  return [answer];
};
const garbledPcp: Instead = (datagram, right) => {
  if (!isPcpMap(datagram)) return undefined;
  const nonce = Buffer.from(right);
  nonce.fill(0xaa, 24, 36);
  return [nonce, right.subarray(0, 30), Buffer.from("not PCP at all")];
};

const noUpnp: ScriptedOptions = { search: () => [] };
const muteUpnp: ScriptedOptions = { raw: (_socket, { body }) => body.includes("PortMapping") };

describe("one protocol is silent or garbled", () => {
  const cases: [string, ScriptedOptions, PortControlServerOptions | undefined, Via][] = [
    ["NAT-PMP answers with ports mod 256, UPnP works", {}, { pcp: false, instead: garbledNatPmp }, "upnp"],
    ["PCP answers ANNOUNCE and never MAP, NAT-PMP works", noUpnp, { instead: silentPcp }, "nat-pmp"],
    ["PCP answers ANNOUNCE and never MAP, UPnP works", {}, { natPmp: false, instead: silentPcp }, "upnp"],
    ["PCP answers with another nonce, NAT-PMP works", noUpnp, { instead: garbledPcp }, "nat-pmp"],
    ["NAT-PMP tells its address and never maps, UPnP works", {}, { pcp: false, instead: silentNatPmp }, "upnp"],
    ["neither PCP nor NAT-PMP ever maps, UPnP works", {}, { instead: silentBoth }, "upnp"],
    ["UPnP takes connections and says nothing, PCP works", muteUpnp, {}, "pcp"],
  ];
  test.each(cases)("%s", async (_name, scripted, portControl, via) => {
    const result = await race(scripted, portControl);
    expect(result.via).toBe(via);
    expect(result.ms).toBeLessThan(AT_MOST_MS);
  });

  test("both transports", async () => {
    const result = await race({}, { instead: silentBoth }, "both");
    expect(result.via).toBe("upnp");
    expect(result.ms).toBeLessThan(AT_MOST_MS);
  });

  test("UPnP is found first and silent: NAT-PMP does not wait for its end", async () => {
    const slow: Instead = (datagram, right) => {
      if (datagram[1] !== 0) return undefined;
      // The first two questions are lost.
      return lost++ < 4 ? [] : [right];
    };
    let lost = 0;
    const result = await race(muteUpnp, { pcp: false, instead: slow });
    expect(result.via).toBe("nat-pmp");
    expect(result.ms).toBeLessThan(AT_MOST_MS);
  });

  test("what a silent protocol may have made is on record, and does not delay the next start", async () => {
    const server = new PortControlServer({ instead: silentPcp });
    await using gateway = await ScriptedGateway.start({ ...noUpnp, portControl: server.answer });
    const entry = { via: "pcp", gateway: gateway.address, localAddress: "127.0.0.1", description: "My Arena-Game" };
    const entries = [7000, 7001, 7002].map((port) => ({
      ...entry,
      transport: "udp",
      internalPort: port,
      externalPort: port,
      nonce: "00112233445566778899aabb",
      expiresAt: 0,
      writtenAt: Date.now(),
    }));
    writeFileSync(join(state, "mappings-1-00000000-3.0.json"), JSON.stringify({ entries }));
    await using mapper = mapperAt(gateway, { via: VIA, journal: state });
    const began = performance.now();
    expect((await mapper.map(REQUEST)).via).toBe("nat-pmp");
    expect(performance.now() - began).toBeLessThan(AT_MOST_MS);
  });
});

test("a slower protocol that shares the table takes the mapping along when it is given back: it is made again", async () => {
  const server = new PortControlServer({
    instead: (datagram, right) => {
      if (!isPcpMap(datagram)) return undefined;
      // It does what it is asked for, and says so too late.
      if (datagram.readUInt32BE(4) > 0) return [];
      return [right];
    },
  });
  await using gateway = await ScriptedGateway.start({ ...noUpnp, portControl: server.answer });
  await using mapper = mapperAt(gateway, { via: VIA });
  const events = eventsOf(mapper);
  const mapping = await mapper.map(REQUEST);
  expect(mapping.via).toBe("nat-pmp");
  const isDeletion = (datagram: Buffer): boolean => isPcpMap(datagram) && datagram.readUInt32BE(4) === 0;
  await expect.poll(() => server.seen.some(isDeletion)).toBe(true);
  await expect
    .poll(() => server.seen.slice(server.seen.findIndex(isDeletion)).some((datagram) => isNatPmpMap(datagram)))
    .toBe(true);
  expect(server.table.has("17 7777")).toBe(true);
  expect(events.map(({ event }) => event)).toEqual(["mapped"]);
});
