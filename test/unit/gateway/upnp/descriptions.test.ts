/**
 * Router descriptions with the services, their order and URLs of those in the tests of miniupnpc (testdesc) and Tailscale
 * (net/portmapper), in our own words: what those projects expect is chosen.
 */

import { describe, expect, test } from "vitest";
import { inspectGateway } from "../../../../sdk/src/gateway/upnp/inspect.ts";
import {
  connectionServices,
  type DeviceDescription,
  firewallService,
  parseDescription,
} from "../../../../sdk/src/gateway/upnp/service/description.ts";
import { UpnpError } from "../../../../sdk/src/gateway/upnp/service/errors.ts";
import type { HttpClient } from "../../../../sdk/src/gateway/upnp/service/http.ts";
import { decodeSsdp, namesGateway } from "../../../../sdk/src/gateway/upnp/ssdp.ts";
import { systemClock } from "../../../../sdk/src/net/clock.ts";

/** A device: its services as `type url`, and the devices in it. `~` stands for `urn:schemas-upnp-org:`. */
interface Device {
  type: string;
  name?: string;
  services?: readonly string[];
  devices?: readonly Device[];
}

interface Router {
  /** Where it is described, and its `URLBase`, where it has one. */
  location: string;
  base?: string;
  root: Device;
}

const urn = (text: string): string => text.replace("~", "urn:schemas-upnp-org:");

function describeDevice({ type, name = "Router", services = [], devices = [] }: Device): string {
  const list = services.map((service) => {
    const [serviceType = "", url = ""] = service.split(" ");
    return `<service><serviceType>${urn(serviceType)}</serviceType><serviceId>id</serviceId><SCPDURL>/scpd.xml</SCPDURL><controlURL>${url}</controlURL><eventSubURL>${url.replace("control", "event")}</eventSubURL></service>`;
  });
  const inner = devices.map(describeDevice).join("");
  return `<device><deviceType>${urn(type)}</deviceType><friendlyName>${name}</friendlyName><UDN>uuid:${name}-${type}</UDN>${list.length > 0 ? `<serviceList>${list.join("")}</serviceList>` : ""}${inner === "" ? "" : `<deviceList>${inner}</deviceList>`}</device>`;
}

const documentOf = ({ base, root }: Router): string =>
  `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major><minor>0</minor></specVersion>${base === undefined ? "" : `<URLBase>${base}</URLBase>`}${describeDevice(root)}</root>`;

const wan = (version: number, common: string, connections: readonly string[]): Device => ({
  type: `~device:WANDevice:${version}`,
  services: [`~service:WANCommonInterfaceConfig:1 ${common}`],
  devices: [{ type: `~device:WANConnectionDevice:${version}`, services: connections }],
});

const linksys: Router = {
  location: "http://192.168.1.1:5000/root.xml",
  base: "http://192.168.1.1:49152",
  root: {
    type: "~device:InternetGatewayDevice:1",
    services: ["~service:Layer3Forwarding:1 /upnp/control/L3Forwarding1"],
    devices: [
      wan(1, "/upnp/control/WANCommonIFC1", [
        "~service:WANEthernetLinkConfig:1 /upnp/control/WANEthLinkC1",
        "~service:WANPPPConnection:1 /upnp/control/WANPPPConn1",
      ]),
      {
        type: "~device:LANDevice:1",
        services: ["~service:LANHostConfigManagement:1 /upnp/control/LANHostCfg1"],
      },
    ],
  },
};

const livebox: Router = {
  location: "http://192.168.1.1:5000/root.xml",
  root: {
    type: "~device:InternetGatewayDevice:2",
    devices: [
      wan(2, "/87895a19/upnp/control/WANCommonIFC1", [
        "~service:WANPPPConnection:2 /87895a19/upnp/control/WANIPConn1",
        "~service:WANIPv6FirewallControl:1 /87895a19/upnp/control/WANIPv6FwCtrl1",
      ]),
    ],
  },
};

const onhub: Router = {
  location: "http://192.168.86.1:5000/rootDesc.xml",
  root: {
    type: "~device:InternetGatewayDevice:2",
    services: ["~service:Layer3Forwarding:1 /ctl/L3F", "~service:DeviceProtection:1 /ctl/DP"],
    devices: [wan(2, "/ctl/CmnIfCfg", ["~service:WANIPConnection:2 /ctl/IPConn"])],
  },
};

const pfsense: Router = {
  location: "http://192.168.1.1:2189/rootDesc.xml",
  root: {
    type: "~device:InternetGatewayDevice:1",
    services: ["~service:Layer3Forwarding:1 /ctl/L3F"],
    devices: [wan(1, "/ctl/CmnIfCfg", ["~service:WANIPConnection:1 /ctl/IPConn"])],
  },
};

const MIKROTIK_1 = "/upnp/control/yomkmsnooi/wanipconn-1";
const MIKROTIK_7 = "/upnp/control/xstnsgeuyh/wanipconn-7";
const mikrotik: Router = {
  location: "http://10.0.0.1:2828/gateway_description.xml",
  root: {
    type: "~device:InternetGatewayDevice:1",
    services: ["urn:schemas-microsoft-com:service:OSInfo:1 /upnp/control/oqjsxqshhz/osinfo"],
    devices: [
      wan(1, "/upnp/control/ivvmxhunyq/wancommonifc-1", [`~service:WANIPConnection:1 ${MIKROTIK_1}`]),
      wan(1, "/upnp/control/vzcyyzzttz/wancommonifc-7", [`~service:WANIPConnection:1 ${MIKROTIK_7}`]),
    ],
  },
};

const dsl = (services: readonly string[]): string[] => services.map((each) => `urn:dslforum-org:service:${each}`);
const huawei: Router = {
  location: "http://192.168.1.1:37215/desc/igd.xml",
  root: {
    type: "urn:dslforum-org:device:InternetGatewayDevice:1",
    services: [
      "urn:www-huawei-com:service:DeviceConfig:1 /ctrlt/DeviceConfig_1",
      ...dsl(["LANConfigSecurity:1 /ctrlt/LANConfigSecurity_1", "Layer3Forwarding:1 /ctrlt/Layer3Forwarding_1"]),
    ],
    devices: [
      {
        type: "urn:dslforum-org:device:WANDevice:1",
        services: dsl([
          "WANDSLInterfaceConfig:1 /ctrlt/WANDSLInterfaceConfig_1",
          "WANCommonInterfaceConfig:1 /ctrlt/WANCommonInterfaceConfig_1",
        ]),
        devices: [
          {
            type: "urn:dslforum-org:device:WANConnectionDevice:1",
            services: dsl([
              "WANPPPConnection:1 /ctrlt/WANPPPConnection_1",
              "WANEthernetConnectionManagement:1 /ctrlt/WANEthernetConnectionManagement_1",
              "WANDSLLinkConfig:1 /ctrlt/WANDSLLinkConfig_1",
            ]),
          },
        ],
      },
      {
        type: "urn:dslforum-org:device:LANDevice:1",
        services: dsl([
          "WLANConfiguration:1 /ctrlt/WLANConfiguration_4",
          "WLANConfiguration:1 /ctrlt/WLANConfiguration_3",
          "WLANConfiguration:1 /ctrlt/WLANConfiguration_2",
          "WLANConfiguration:1 /ctrlt/WLANConfiguration_1",
          "LANHostConfigManagement:1 /ctrlt/LANHostConfigManagement_1",
        ]),
      },
    ],
  },
};

const noServices: Router = {
  location: "http://192.168.1.1:80/rootDesc.xml",
  root: {
    type: "urn:dslforum-org:device:InternetGatewayDevice:1",
    services: ["urn:schemas-microsoft-com:service:OSInfo:1 /upnp/control/aaaaaaaaaa/osinfo"],
    devices: [wan(1, "/ctl/bbbbbbbb", ["urn:tailscale:service:SomethingElse:1 /ctrlt/SomethingElse_1"])],
  },
};

const plain: Router = {
  location: "http://192.168.1.1:5000/rootDesc.xml",
  root: {
    type: "~device:InternetGatewayDevice:1",
    devices: [
      {
        type: "~device:WANDevice:1",
        devices: [{ type: "~device:WANConnectionDevice:1", services: ["~service:WANIPConnection:1 /ctl/IPConn"] }],
      },
    ],
  },
};

function parse(router: Router): DeviceDescription {
  const location = new URL(router.location);
  return parseDescription(Buffer.from(documentOf(router)), location, location.hostname);
}

test.each<[string, Router, [type: string, url: string][]]>([
  [
    "miniupnpc: Linksys WAG200G",
    linksys,
    [["~service:WANPPPConnection:1", "http://192.168.1.1:49152/upnp/control/WANPPPConn1"]],
  ],
  [
    "miniupnpc: Livebox",
    livebox,
    [["~service:WANPPPConnection:2", "http://192.168.1.1:5000/87895a19/upnp/control/WANIPConn1"]],
  ],
  ["Tailscale: Google OnHub", onhub, [["~service:WANIPConnection:2", "http://192.168.86.1:5000/ctl/IPConn"]]],
  ["Tailscale: pfSense", pfsense, [["~service:WANIPConnection:1", "http://192.168.1.1:2189/ctl/IPConn"]]],
  [
    "Tailscale: MikroTik with two WAN devices",
    mikrotik,
    [
      ["~service:WANIPConnection:1", `http://10.0.0.1:2828${MIKROTIK_1}`],
      ["~service:WANIPConnection:1", `http://10.0.0.1:2828${MIKROTIK_7}`],
    ],
  ],
  [
    "Tailscale: Huawei HG531",
    huawei,
    [["urn:dslforum-org:service:WANPPPConnection:1", "http://192.168.1.1:37215/ctrlt/WANPPPConnection_1"]],
  ],
  ["Tailscale: no service that maps ports", noServices, []],
  ["Tailscale: the test router", plain, [["~service:WANIPConnection:1", "http://192.168.1.1:5000/ctl/IPConn"]]],
])("%s: the services that map ports, best first", (_name, router, expected) => {
  expect(
    connectionServices(parse(router)).map(({ serviceType, controlUrl }) => [serviceType, controlUrl.href]),
  ).toEqual(expected.map(([type, url]) => [urn(type), url]));
});

test("miniupnpc: the Livebox's IPv6 firewall; no other has one", () => {
  expect(firewallService(parse(livebox))?.controlUrl.pathname).toBe("/87895a19/upnp/control/WANIPv6FwCtrl1");
  for (const router of [linksys, onhub, pfsense, mikrotik, huawei, noServices, plain]) {
    expect(firewallService(parse(router))).toBeUndefined();
  }
});

/** What the two connections of the MikroTik say, by their control URL; a status is an answer without a body. */
type Said = Record<string, { status?: string | number; address?: string }>;

const PUBLIC = "123.123.123.123";
const PRIVATE = "10.9.8.7";

describe("which of two connections serves (Tailscale's selectBestService)", () => {
  const up = { status: "Connected" };
  const down = { status: "Disconnected" };
  test.each<[string, Said, string[]]>([
    ["the first is disconnected", { [MIKROTIK_1]: down, [MIKROTIK_7]: { ...up, address: PUBLIC } }, [MIKROTIK_7]],
    [
      "the first has a private address",
      { [MIKROTIK_1]: { ...up, address: PRIVATE }, [MIKROTIK_7]: { ...up, address: PUBLIC } },
      [MIKROTIK_7, MIKROTIK_1],
    ],
    [
      "both have private addresses",
      { [MIKROTIK_1]: { ...up, address: PRIVATE }, [MIKROTIK_7]: { ...up, address: PRIVATE } },
      [MIKROTIK_1, MIKROTIK_7],
    ],
    ["both are disconnected", { [MIKROTIK_1]: down, [MIKROTIK_7]: down }, [MIKROTIK_1, MIKROTIK_7]],
    [
      "neither tells its state",
      { [MIKROTIK_1]: { status: 500 }, [MIKROTIK_7]: { status: 404 } },
      [MIKROTIK_1, MIKROTIK_7],
    ],
    [
      "the first tells no address",
      { [MIKROTIK_1]: { ...up, address: "invalid" }, [MIKROTIK_7]: { ...up, address: PUBLIC } },
      [MIKROTIK_7, MIKROTIK_1],
    ],
    [
      "the first is up, in another word",
      { [MIKROTIK_1]: { status: "Up", address: PUBLIC }, [MIKROTIK_7]: { ...up, address: PUBLIC } },
      [MIKROTIK_1, MIKROTIK_7],
    ],
  ])("%s", async (_name, said, expected) => {
    const http: HttpClient = async ({ method, url, headers }) => {
      if (method === "GET") return { status: 200, headers: {}, body: Buffer.from(documentOf(mikrotik)) };
      const action = /#(\w+)"$/.exec(headers?.["SOAPAction"] ?? "")?.[1] ?? "";
      const { status, address } = said[url.pathname] ?? {};
      const inner =
        action === "GetStatusInfo" && typeof status === "string"
          ? `<NewConnectionStatus>${status}</NewConnectionStatus><NewUptime>9999</NewUptime>`
          : action === "GetExternalIPAddress" && address !== undefined
            ? `<NewExternalIPAddress>${address}</NewExternalIPAddress>`
            : undefined;
      if (inner === undefined)
        return { status: typeof status === "number" ? status : 500, headers: {}, body: Buffer.alloc(0) };
      const body = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><u:${action}Response xmlns:u="x">${inner}</u:${action}Response></s:Body></s:Envelope>`;
      return { status: 200, headers: {}, body: Buffer.from(body) };
    };
    const where = { location: mikrotik.location, responder: "10.0.0.1", localAddress: "10.0.0.5" };
    const found = await inspectGateway(http, where, systemClock, new AbortController().signal);
    expect(found?.gateways.map(({ connection }) => connection.target.controlUrl.pathname)).toEqual(expected);
  });

  test("a single connection is not asked for its state", async () => {
    const asked: string[] = [];
    const http: HttpClient = async ({ method, headers }) => {
      if (method === "GET") return { status: 200, headers: {}, body: Buffer.from(documentOf(plain)) };
      asked.push(/#(\w+)"$/.exec(headers?.["SOAPAction"] ?? "")?.[1] ?? "");
      return { status: 500, headers: {}, body: Buffer.alloc(0) };
    };
    const where = { location: plain.location, responder: "192.168.1.1", localAddress: "192.168.1.5" };
    const found = await inspectGateway(http, where, systemClock, new AbortController().signal);
    expect(found?.gateways).toHaveLength(1);
    expect(asked).toEqual(["GetExternalIPAddress"]);
  });

  test("no service that maps ports: a gateway by name alone", async () => {
    const http: HttpClient = async () => ({ status: 200, headers: {}, body: Buffer.from(documentOf(noServices)) });
    const where = { location: noServices.location, responder: "192.168.1.1", localAddress: "192.168.1.5" };
    await expect(inspectGateway(http, where, systemClock, new AbortController().signal)).rejects.toThrow(UpnpError);
  });
});

/** Answers to a search, as Tailscale's tests have them: who answers is read from LOCATION, whatever else there is. */
test.each([
  [
    "Google OnHub",
    "http://192.168.86.1:5000/rootDesc.xml",
    2,
    ["SERVER: Linux/5.4 UPnP/1.1 MiniUPnPd/1.9", "01-NLS: 1", "BOOTID.UPNP.ORG: 1"],
    1,
  ],
  [
    "pfSense",
    "http://192.168.1.1:2189/rootDesc.xml",
    1,
    ["SERVER: FreeBSD/12.2 UPnP/1.1 MiniUPnPd/2.2.1", "BOOTID.UPNP.ORG: 1627958564"],
    1_627_958_564,
  ],
  [
    "Sagemcom, without a SERVER",
    "http://192.168.0.1:49153/69692b70/gatedesc0b.xml",
    1,
    ["SERVER: ", "User-Agent: redsonic"],
    undefined,
  ],
  [
    "Huawei",
    "http://192.168.1.1:49652/49652gatedesc.xml",
    1,
    ['OPT: "http://schemas.upnp.org/upnp/1/0/"; ns=01', "X-User-Agent: UPnP/1.0 DLNADOC/1.50"],
    undefined,
  ],
])("Tailscale: the answer of %s", (_name, location, version, more, bootId) => {
  const target = `urn:schemas-upnp-org:device:InternetGatewayDevice:${version}`;
  const lines = [
    "HTTP/1.1 200 OK",
    "CACHE-CONTROL: max-age=1800",
    `ST: ${target}`,
    `USN: uuid:1::${target}`,
    "EXT:",
    ...more,
    `LOCATION: ${location}`,
  ];
  const message = decodeSsdp(Buffer.from(`${lines.join("\r\n")}\r\n\r\n`));
  expect(message).toMatchObject({ kind: "response", location, target, bootId });
  expect(message && namesGateway(message)).toBe(true);
});
