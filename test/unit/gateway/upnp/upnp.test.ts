import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { resultOfCode, resultOfError, UPNPResult } from "../../../../sdk/src/gateway/upnp/godot/result.ts";
import { UPNP } from "../../../../sdk/src/gateway/upnp/godot/upnp.ts";
import { IGDStatus, UPNPDevice } from "../../../../sdk/src/gateway/upnp/godot/upnp-device.ts";
import {
  connectionServices,
  firewallService,
  parseDescription,
} from "../../../../sdk/src/gateway/upnp/service/description.ts";
import { UpnpError, upnpErrorName } from "../../../../sdk/src/gateway/upnp/service/errors.ts";
import { readEvent } from "../../../../sdk/src/gateway/upnp/service/gena.ts";
import type { HttpRequest } from "../../../../sdk/src/gateway/upnp/service/http.ts";
import { WanConnection } from "../../../../sdk/src/gateway/upnp/service/igd.ts";
import { pinUrl } from "../../../../sdk/src/gateway/upnp/service/pin-url.ts";
import { decodeAction, encodeAction } from "../../../../sdk/src/gateway/upnp/service/soap.ts";
import { parseXml } from "../../../../sdk/src/gateway/upnp/service/xml.ts";
import { decodeSsdp, encodeSearch, mayBeGateway } from "../../../../sdk/src/gateway/upnp/ssdp.ts";
import { mutated, RUNS } from "../fuzz.ts";

const IP1 = "urn:schemas-upnp-org:service:WANIPConnection:1";
const IP2 = "urn:schemas-upnp-org:service:WANIPConnection:2";
const ANSWER = `HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nUSN: uuid:1::x\r\nEXT:\r\nSERVER: Debian UPnP/1.1 MiniUPnPd/2.3.1\r\nLOCATION: http://192.168.1.1:5000/rootDesc.xml\r\nBOOTID.UPNP.ORG: 1795173377\r\n\r\n`;
const NOTIFY = `NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNT: upnp:rootdevice\r\nNTS: ssdp:byebye\r\nUSN: uuid:1::upnp:rootdevice\r\n\r\n`;
const service = (type: string, url: string): string =>
  `<service><serviceType>${type}</serviceType><controlURL>${url}</controlURL><eventSubURL>/evt</eventSubURL></service>`;
const description = (services: string, base = ""): string =>
  `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0">${base}<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:2</deviceType><friendlyName>Router &amp; more</friendlyName><UDN>uuid:1</UDN><deviceList><device><deviceList><device><serviceList>${services}</serviceList></device></deviceList></device></deviceList></device></root>`;
const FAULT = `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>718</errorCode><errorDescription>ConflictInMappingEntry</errorDescription></UPnPError></detail></s:Fault></s:Body></s:Envelope>`;
const ENTRY = `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><u:GetSpecificPortMappingEntryResponse xmlns:u="${IP1}"><NewInternalPort>7777</NewInternalPort><NewInternalClient>192.168.1.10</NewInternalClient><NewEnabled>1</NewEnabled><NewPortMappingDescription>Arena</NewPortMappingDescription><NewLeaseDuration>3600</NewLeaseDuration></u:GetSpecificPortMappingEntryResponse></s:Body></s:Envelope>`;
const LOCATION = new URL("http://192.168.1.1:5000/rootDesc.xml");
const bytes = (text: string): Uint8Array => Buffer.from(text);
const parse = (text: string): ReturnType<typeof parseDescription> =>
  parseDescription(bytes(text), LOCATION, "192.168.1.1");

/** A connection whose router answers `body` to everything. */
function connectionThatHears(
  body: string,
  status = 200,
  serviceType = IP2,
): { connection: WanConnection; requests: HttpRequest[] } {
  const requests: HttpRequest[] = [];
  const target = {
    serviceType,
    controlUrl: new URL("http://192.168.1.1:5000/ctl"),
    address: "192.168.1.1",
    localAddress: "192.168.1.10",
  };
  const connection = new WanConnection(target, async (request) => {
    requests.push(request);
    return { status, headers: {}, body: bytes(body) };
  });
  return { connection, requests };
}
const envelope = (action: string, inner: string): string =>
  `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><u:${action}Response xmlns:u="${IP2}">${inner}</u:${action}Response></s:Body></s:Envelope>`;

describe("SSDP", () => {
  test("an answer, a byebye, a search", () => {
    expect(decodeSsdp(bytes(ANSWER))).toMatchObject({
      kind: "response",
      location: "http://192.168.1.1:5000/rootDesc.xml",
      bootId: 1_795_173_377,
    });
    expect(decodeSsdp(bytes(NOTIFY))).toMatchObject({ kind: "notify", nts: "byebye", target: "upnp:rootdevice" });
    expect(decodeSsdp(encodeSearch("ssdp:all", "239.255.255.250:1900"))).toMatchObject({
      kind: "search",
      target: "ssdp:all",
    });
  });

  test("lower-case names and lines that end in LF", () => {
    expect(decodeSsdp(bytes("HTTP/1.1 200 OK\nlocation:http://a/\nst:upnp:rootdevice\n\n"))).toMatchObject({
      location: "http://a/",
      target: "upnp:rootdevice",
    });
  });

  test("everything else is nothing", () => {
    for (const text of [
      "",
      "HTTP/1.1 200 OK",
      "HTTP/1.1 404 Not Found\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "x".repeat(5000),
    ])
      expect(decodeSsdp(bytes(text))).toBeUndefined();
  });

  test("which answers may be a gateway's", () => {
    const asked = (target: string): boolean =>
      mayBeGateway({ kind: "response", location: "", target, usn: "", server: "", nts: "", bootId: undefined });
    expect(["urn:schemas-upnp-org:device:InternetGatewayDevice:2", "upnp:rootdevice", "uuid:1"].map(asked)).toEqual([
      true,
      true,
      true,
    ]);
    expect(asked("urn:schemas-upnp-org:device:MediaRenderer:1")).toBe(false);
  });
});

describe("description", () => {
  test("services, best first", () => {
    const ppp = "urn:schemas-upnp-org:service:WANPPPConnection:1";
    const dsl = "urn:dslforum-org:service:WANIPConnection:1";
    const device = parse(
      description(
        [dsl, ppp, IP1, IP2, "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1", "urn:x:service:Other:1"]
          .map((type, i) => service(type, `/c${i}`))
          .join(""),
      ),
    );
    expect(connectionServices(device).map(({ serviceType }) => serviceType)).toEqual([IP2, IP1, ppp, dsl]);
    expect(firewallService(device)?.controlUrl.href).toBe("http://192.168.1.1:5000/c4");
    expect(device.name).toBe("Router & more");
  });

  test("URLs stand on URLBase or the location, and always at the one that answered", () => {
    const urlOf = (control: string, base?: string): string | undefined =>
      connectionServices(parse(description(service(IP1, control), base)))[0]?.controlUrl.href;
    expect(urlOf("/ctl")).toBe("http://192.168.1.1:5000/ctl");
    expect(urlOf("ctl")).toBe("http://192.168.1.1:5000/ctl");
    expect(urlOf("/ctl", "<URLBase>http://192.168.1.1:49152/x/</URLBase>")).toBe("http://192.168.1.1:49152/ctl");
    expect(urlOf("http://10.0.0.1:80/ctl?a=b")).toBe("http://192.168.1.1/ctl?a=b");
    expect(urlOf("/ctl", "<URLBase>http://evil.example:8080/</URLBase>")).toBe("http://192.168.1.1:8080/ctl");
    expect(urlOf("https://192.168.1.1/ctl")).toBeUndefined();
    expect(urlOf("file:///etc/passwd")).toBeUndefined();
  });

  test("pinUrl keeps neither user, password nor fragment", () => {
    expect(pinUrl("http://a:b@host:81/p#f", "10.0.0.1").href).toBe("http://10.0.0.1:81/p");
    expect(pinUrl("http://host/p", "fe80::1%eth0").href).toBe("http://[fe80::1]/p");
  });

  test("what is no description", () => {
    for (const text of [
      "",
      "<html/>",
      "<root/>",
      "<root><device>text</device></root>",
      "<!DOCTYPE x><root><device><a/></device></root>",
    ])
      expect(() => parse(text)).toThrow(UpnpError);
  });
});

describe("SOAP", () => {
  test("arguments are escaped", () => {
    expect(encodeAction(IP1, "A", [["NewX", "<&>\"'\u0000ü"]])).toContain("<NewX>&#60;&#38;&#62;&#34;&#39;ü</NewX>");
  });

  test("faults, whatever the status", () => {
    for (const status of [500, 200]) {
      expect(() => decodeAction(IP1, "AddPortMapping", status, bytes(FAULT))).toThrow(
        expect.objectContaining({ kind: "fault", code: 718 }),
      );
    }
    expect(() => decodeAction(IP1, "A", 500, bytes("nonsense"))).toThrow(
      expect.objectContaining({ kind: "http", code: 500 }),
    );
    expect(() => decodeAction(IP1, "A", 200, bytes("nonsense"))).toThrow(expect.objectContaining({ kind: "response" }));
  });

  test("the firewall service gives 70x meanings of its own", () => {
    expect(upnpErrorName("urn:schemas-upnp-org:service:WANIPv6FirewallControl:1", 703)).toBe(
      "InboundPinholeNotAllowed",
    );
    expect(upnpErrorName(IP1, 703)).toBe("UnknownError");
    expect(upnpErrorName(IP1, 714)).toBe("NoSuchEntryInArray");
  });
});

describe("WANIPConnection", () => {
  test("an entry, and that there is none", async () => {
    const { connection, requests } = connectionThatHears(ENTRY, 200, IP1);
    expect(await connection.getSpecificPortMappingEntry(7777, "udp")).toEqual({
      remoteHost: "",
      externalPort: 7777,
      protocol: "udp",
      internalPort: 7777,
      internalClient: "192.168.1.10",
      enabled: true,
      description: "Arena",
      leaseSeconds: 3600,
    });
    expect(requests[0]?.body).toContain("<NewProtocol>UDP</NewProtocol>");
    expect(
      await connectionThatHears(FAULT.replace("718", "714"), 500).connection.getSpecificPortMappingEntry(1, "tcp"),
    ).toBeUndefined();
  });

  test("GetListOfPortMappings: a document in a document, as CDATA and escaped", async () => {
    const row = (port: number): string =>
      `<p:PortMappingEntry><p:NewRemoteHost></p:NewRemoteHost><p:NewExternalPort>${port}</p:NewExternalPort><p:NewProtocol>UDP</p:NewProtocol><p:NewInternalPort>${port}</p:NewInternalPort><p:NewInternalClient>192.168.1.10</p:NewInternalClient><p:NewEnabled>1</p:NewEnabled><p:NewDescription>x</p:NewDescription><p:NewLeaseTime>60</p:NewLeaseTime></p:PortMappingEntry>`;
    const listing = `<p:PortMappingList xmlns:p="urn:schemas-upnp-org:gw:WANIPConnection">${Array.from({ length: 40 }, (_, i) => row(i + 1)).join("")}</p:PortMappingList>`;
    const escaped = listing.replaceAll("<", "&lt;").replaceAll(">", "&gt;");
    for (const inner of [`<![CDATA[${listing}]]>`, escaped]) {
      const { connection } = connectionThatHears(
        envelope("GetListOfPortMappings", `<NewPortListing>${inner}</NewPortListing>`),
      );
      const entries = await connection.getListOfPortMappings("udp");
      expect(entries.length).toBe(40);
      expect(entries[39]).toMatchObject({
        externalPort: 40,
        protocol: "udp",
        internalClient: "192.168.1.10",
        leaseSeconds: 60,
        description: "x",
      });
    }
    expect(await connectionThatHears(FAULT.replace("718", "730"), 500).connection.getListOfPortMappings("udp")).toEqual(
      [],
    );
  });

  test("an external address that is none", async () => {
    for (const address of ["0.0.0.0", "", "unknown", "1.2.3"]) {
      const { connection } = connectionThatHears(
        envelope("GetExternalIPAddress", `<NewExternalIPAddress>${address}</NewExternalIPAddress>`),
      );
      expect(await connection.getExternalIpAddress()).toBe("");
    }
  });
});

test("events", () => {
  const event = `<e:propertyset xmlns:e="urn:schemas-upnp-org:event-1-0"><e:property><ExternalIPAddress>11.0.0.1</ExternalIPAddress></e:property><e:property><PortMappingNumberOfEntries>3</PortMappingNumberOfEntries></e:property></e:propertyset>`;
  expect(readEvent(bytes(event))).toEqual(
    new Map([
      ["ExternalIPAddress", "11.0.0.1"],
      ["PortMappingNumberOfEntries", "3"],
    ]),
  );
  expect(readEvent(bytes("<x/>")).size).toBe(0);
});

describe("Godot's UPNP", () => {
  test("29 results with Godot's numbers", () => {
    expect(Object.values(UPNPResult)).toEqual(Array.from({ length: 29 }, (_, i) => i));
    expect(UPNPResult).toMatchObject({
      NOT_AUTHORIZED: 1,
      PORT_MAPPING_NOT_FOUND: 2,
      CONFLICT_WITH_OTHER_MAPPING: 13,
      NO_GATEWAY: 26,
      UNKNOWN_ERROR: 28,
    });
    expect(Object.values(IGDStatus)).toEqual(Array.from({ length: 10 }, (_, i) => i));
  });

  test.each([
    [402, 20],
    [403, 1],
    [501, 5],
    [606, 1],
    [714, 4],
    [715, 6],
    [716, 7],
    [718, 13],
    [724, 14],
    [725, 15],
    [726, 9],
    [727, 10],
    [728, 11],
    [729, 12],
    [730, 2],
    [732, 8],
    [733, 3],
    [999, 28],
  ])("%i is %i", (code, result) => {
    expect(resultOfCode(code)).toBe(result);
  });

  test("other failures", () => {
    expect(resultOfError(new UpnpError("http", ""))).toBe(23);
    expect(resultOfError(new UpnpError("socket", ""))).toBe(23);
    expect(resultOfError(new UpnpError("response", ""))).toBe(21);
    expect(resultOfError(new Error("other"))).toBe(28);
  });

  test("what is checked before anything is sent", async () => {
    const upnp = new UPNP();
    expect(await upnp.discover(-1)).toBe(22);
    expect(await upnp.discover(10, 256)).toBe(22);
    expect(await upnp.discover(10, -1)).toBe(22);
    expect([await upnp.addPortMapping(1), await upnp.deletePortMapping(1), await upnp.queryExternalAddress()]).toEqual([
      26,
      26,
      "",
    ]);
    const device = new UPNPDevice();
    expect([device.igdStatus, device.isValidGateway(), await device.addPortMapping(1)]).toEqual([9, false, 16]);
    device.igdStatus = IGDStatus.OK;
    expect(await device.addPortMapping(0)).toBe(17);
    expect(await device.addPortMapping(65_536)).toBe(17);
    expect(await device.addPortMapping(1, -1)).toBe(17);
    expect(await device.addPortMapping(1, 65_536)).toBe(17);
    expect(await device.addPortMapping(1, 0, "", "udp")).toBe(18);
    expect(await device.addPortMapping(1, 0, "", "UDP", -1)).toBe(19);
    expect(await device.deletePortMapping(0)).toBe(17);
    expect(await device.deletePortMapping(1, "SCTP")).toBe(18);
    expect(await device.deletePortMapping(1)).toBe(28);
  });

  test("the list of devices", () => {
    const upnp = new UPNP();
    const [a, b] = [new UPNPDevice(), new UPNPDevice()];
    upnp.addDevice(a);
    upnp.addDevice(b);
    expect([upnp.getDeviceCount(), upnp.getDevice(1), upnp.getDevice(2), upnp.getGateway()]).toEqual([
      2,
      b,
      null,
      null,
    ]);
    b.igdStatus = IGDStatus.OK;
    expect(upnp.getGateway()).toBe(b);
    upnp.setDevice(5, a);
    upnp.setDevice(1, a);
    upnp.removeDevice(0);
    upnp.removeDevice(7);
    expect(upnp.getDeviceCount()).toBe(1);
    upnp.clearDevices();
    expect(upnp.getDeviceCount()).toBe(0);
  });
});

test("mutated SSDP: nothing throws, nothing is kept beyond the datagram", () => {
  fc.assert(
    fc.property(mutated(bytes(ANSWER), bytes(NOTIFY)), (packet) => {
      const message = decodeSsdp(packet);
      if (message) expect(message.location.length).toBeLessThanOrEqual(packet.length);
    }),
    { numRuns: RUNS },
  );
});

test("mutated descriptions: parsed, or refused with an error of ours", () => {
  fc.assert(
    fc.property(mutated(bytes(description(service(IP1, "/ctl") + service(IP2, "http://10.9.8.7/ctl")))), (document) => {
      try {
        for (const { controlUrl } of parseDescription(document, LOCATION, "192.168.1.1").services)
          expect(controlUrl.hostname).toBe("192.168.1.1");
      } catch (error) {
        expect(error).toBeInstanceOf(UpnpError);
      }
    }),
    { numRuns: RUNS },
  );
});

test("mutated SOAP answers: parsed, or refused with an error of ours", async () => {
  await fc.assert(
    fc.asyncProperty(mutated(bytes(FAULT), bytes(ENTRY)), async (document) => {
      const { connection } = connectionThatHears("");
      const hears = new WanConnection(connection.target, async () => ({ status: 200, headers: {}, body: document }));
      const entry = await hears.getSpecificPortMappingEntry(1, "udp").catch((error: unknown) => {
        expect(error).toBeInstanceOf(UpnpError);
      });
      if (entry) expect(entry.internalPort).toBeLessThanOrEqual(65_535);
    }),
    { numRuns: RUNS },
  );
});

test("any bytes as XML", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (document) => void parseXml(document)),
    { numRuns: RUNS },
  );
  expect(parseXml(new Uint8Array(300_000))).toBeUndefined();
});
