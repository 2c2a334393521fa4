/** What a trace tells of a router: what it was asked, what it said, and which port was taken in the end. */
import { expect, test } from "vitest";
import { PortMapper } from "../../sdk/src/gateway/mapper/port-mapper.ts";
import type { Via } from "../../sdk/src/gateway/types.ts";
import { traced } from "../unit/traced.ts";
import { Fault, ScriptedGateway, type ScriptedOptions } from "./scripted-gateway.ts";

async function withMapper(
  options: ScriptedOptions,
  via: readonly Via[],
  use: (mapper: PortMapper, gateway: ScriptedGateway) => unknown,
): Promise<void> {
  await using gateway = await ScriptedGateway.start(options);
  await using mapper = new PortMapper({
    via,
    interfaces: gateway.interfaces,
    journal: false,
    environment: { ports: gateway.ports, machine: "test" },
  });
  await use(mapper, gateway);
}

const begins = (lines: readonly string[], beginning: string): string | undefined =>
  lines.find((line) => line.startsWith(beginning));

test("UPnP: each action with its fault, ports that were tried, and the mapping's life", async () => {
  const lines = traced("gateway");
  let port = 0;
  await withMapper({}, ["upnp"], async (mapper, gateway) => {
    const { table } = gateway;
    table.set("UDP 7777", { client: "127.0.0.9", internalPort: 7777, description: "Other", lease: 0, enabled: true });
    port = (await mapper.map({ internalPort: 7777, protocol: "udp" })).externalPort;
  });
  for (const line of [
    "search via=[upnp] interfaces=[",
    "search-answer from=127.0.0.2 target=",
    "gateway-found via=upnp name=",
    "gateway-asked via=upnp address=127.0.0.2 lockMs=0",
    "port-tried via=upnp gateway=127.0.0.2 protocol=udp port=7777 internalPort=7777 isExact=true lifetimeSeconds=7200",
    "port-refused via=upnp port=7777 kind=conflict",
    `port-tried via=upnp gateway=127.0.0.2 protocol=udp port=${port} `,
    `mapped via=upnp protocol=udp external=11.22.33.44:${port} internal=127.0.0.1:7777 verified=true`,
    `unmapped via=upnp protocol=udp external=11.22.33.44:${port}`,
  ]) {
    expect(begins(lines, line), `${line}\nin\n${lines.join("\n")}`).toBeDefined();
  }
  expect(begins(lines, "soap action=GetExternalIPAddress")).toMatch(/ url=http:\S+ outcome=ok$/);
  expect(begins(lines, "soap action=AddPortMapping")).toMatch(
    new RegExp(` transport=UDP externalPort=${port} outcome=ok$`),
  );
});

test("UPnP: a refusal with its code", async () => {
  const lines = traced("gateway");
  const actions = { AddPortMapping: () => new Fault(728) };
  await withMapper({ actions }, ["upnp"], async (mapper) => {
    await expect(mapper.map({ internalPort: 7777, protocol: "udp" })).rejects.toThrow();
  });
  expect(begins(lines, "soap action=AddPortMapping")).toMatch(/ outcome=fault code=728 reason="AddPortMapping: 728 /);
  expect(begins(lines, "port-refused")).toMatch(/ kind=full code=728 /);
});

test("UPnP: why a device that answered is not used", async () => {
  const lines = traced("gateway");
  const description = "<root><device><deviceType>urn:schemas-upnp-org:device:Printer:1</deviceType></device></root>";
  await withMapper({ description }, ["upnp"], async (mapper) => {
    await expect(mapper.map({ internalPort: 7777, protocol: "udp" })).rejects.toThrow();
  });
  expect(begins(lines, "device-unused address=127.0.0.2 reason=")).toBeDefined();
  expect(begins(lines, "finding step=upnp outcome=absent reason=")).toBeDefined();
});

test("PCP and NAT-PMP: requests, result codes, and silence", async () => {
  const lines = traced("gateway");
  // NAT-PMP refuses to map (2, not authorized), PCP is silent.
  const portControl = (datagram: Buffer): Uint8Array[] => {
    if (datagram[0] === 2) return [];
    if (datagram[1] === 0) return [Buffer.from([0, 0x80, 0, 0, 0, 0, 0, 9, 11, 22, 33, 44])];
    const answer = Buffer.alloc(16);
    answer[1] = (datagram[1] ?? 0) | 0x80;
    answer[3] = 2;
    datagram.copy(answer, 8, 4, 12);
    return [answer];
  };
  await withMapper({ portControl }, ["pcp", "nat-pmp"], async (mapper) => {
    await expect(mapper.map({ internalPort: 7777, protocol: "udp" })).rejects.toThrow();
  });
  expect(lines).toContain("request protocol=pcp operation=announce to=127.0.0.2 from=127.0.0.1");
  expect(lines).toContain("answer protocol=nat-pmp operation=external-address from=127.0.0.2 result=0");
  expect(lines).toContain("answer protocol=nat-pmp operation=map-udp from=127.0.0.2 result=2");
  expect(lines.some((line) => /^(no-answer|given-up) protocol=pcp operation=announce/.test(line))).toBe(true);
  expect(begins(lines, "port-refused via=nat-pmp port=7777 kind=forbidden code=2 ")).toBeDefined();
});

test("PCP's nonce, which makes its owner the owner of the mapping, is not told", async () => {
  const lines = traced("gateway");
  const nonces: Buffer[] = [];
  const portControl = (datagram: Buffer): Uint8Array[] => {
    if (datagram[0] !== 2) return [];
    const answer = Buffer.from(datagram);
    answer[1] = (datagram[1] ?? 0) | 0x80;
    answer.fill(0, 2, 4);
    answer.fill(0, 8, 24);
    if (datagram[1] === 1) {
      nonces.push(Buffer.from(datagram.subarray(24, 36)));
      if (datagram.readUInt32BE(4) === 0) answer.writeUInt16BE(0, 42);
      answer.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 11, 22, 33, 44], 44);
    }
    return [answer];
  };
  await withMapper({ portControl }, ["pcp"], (mapper) => mapper.map({ internalPort: 7777, protocol: "udp" }));
  expect(begins(lines, "mapped via=pcp ")).toBeDefined();
  expect(nonces.length).toBeGreaterThan(0);
  const all = lines.join("\n");
  for (const nonce of nonces) {
    expect(all).not.toContain(nonce.toString("hex"));
    expect(all).not.toContain(nonce.toString("base64"));
  }
});
