/** What a broken or malicious device on the LAN answers. Nothing of it throws past the mapper, hangs it, or leads it elsewhere. */
import { createServer } from "node:http";
import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { PortMapper } from "../../sdk/src/gateway/mapper/port-mapper.ts";
import { PortMapError } from "../../sdk/src/gateway/types.ts";
import { faultBody, reply, ScriptedGateway, type ScriptedOptions, type ScriptedRequest } from "./scripted-gateway.ts";

const REQUEST = { internalPort: 7777, protocol: "udp" } as const;

function mapperAt(gateway: ScriptedGateway): PortMapper {
  return new PortMapper({
    via: ["upnp"],
    interfaces: gateway.interfaces,
    journal: false,
    environment: { ports: gateway.ports, machine: "test" },
  });
}

async function refused(options: ScriptedOptions): Promise<PortMapError> {
  await using gateway = await ScriptedGateway.start(options);
  await using mapper = mapperAt(gateway);
  const error: unknown = await mapper.map(REQUEST).then(
    () => expect.fail("it was mapped"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PortMapError);
  return error as PortMapError;
}

async function mapped(options: ScriptedOptions): Promise<ScriptedGateway> {
  const gateway = await ScriptedGateway.start(options);
  await using _ = gateway;
  await using mapper = mapperAt(gateway);
  const mapping = await mapper.map(REQUEST);
  expect(mapping.externalPort).toBe(7777);
  return gateway;
}

/** Answers everything as a right gateway, but writes it with `write`. */
function writing(write: (socket: Socket, status: number, body: Buffer) => void): ScriptedOptions {
  const options: ScriptedOptions = {
    raw: (socket, request) => {
      const { status, body } = rightAnswer(self(), request);
      write(socket, status, Buffer.from(body));
      return true;
    },
    search: (_text, gateway) => {
      current = gateway;
      return [gateway.answer("urn:schemas-upnp-org:device:InternetGatewayDevice:1")];
    },
  };
  let current: ScriptedGateway | undefined;
  const self = (): ScriptedGateway => current ?? expect.fail("nobody searched");
  return options;
}

function rightAnswer(gateway: ScriptedGateway, request: ScriptedRequest): { status: number; body: string } {
  if (request.method === "GET") return { status: 200, body: gateway.describe() };
  const action = /#(\w+)/.exec(request.headers["SOAPAction"] ?? "")?.[1] ?? "";
  const input = Object.fromEntries(
    [...request.body.matchAll(/<(New\w+)>([^<]*)<\/\1>/g)].map(([, name = "", value = ""]) => [name, value]),
  );
  const answer = gateway.perform(action, input);
  if (answer !== undefined && typeof answer === "object" && "code" in answer)
    return { status: 500, body: faultBody(Number(answer.code)) };
  return {
    status: 200,
    body: gateway.response(action, typeof answer === "object" ? answer : {}),
  };
}

test("header lines that end in LF alone", async () => {
  await mapped(
    writing((socket, status, body) =>
      socket.end(`HTTP/1.1 ${status} X\nContent-Length: ${body.length}\n\n${body.toString()}`),
    ),
  );
});

test("a Content-Length that is too long", async () => {
  await mapped(
    writing((socket, status, body) =>
      socket.end(`HTTP/1.1 ${status} X\r\nContent-Length: ${body.length + 100}\r\n\r\n${body.toString()}`),
    ),
  );
});

test("no Content-Length, HTTP/1.0", async () => {
  await mapped(writing((socket, status, body) => socket.end(`HTTP/1.0 ${status} X\r\n\r\n${body.toString()}`)));
});

test("chunked", async () => {
  await mapped(
    writing((socket, status, body) =>
      socket.end(
        `HTTP/1.1 ${status} X\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body.toString()}\r\n0\r\n\r\n`,
      ),
    ),
  );
});

test("UTF-16 with a byte order mark", async () => {
  await mapped(
    writing((socket, status, body) => {
      const bytes = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(body.toString(), "utf16le")]);
      reply(socket, status, bytes);
    }),
  );
});

test("faults that come with HTTP 200", async () => {
  await mapped(writing((socket, _status, body) => reply(socket, 200, body)));
});

test("SOAP under other prefixes and without any", async () => {
  await mapped(
    writing((socket, status, body) =>
      reply(socket, status, body.toString().replaceAll("s:", "SOAP-ENV:").replaceAll("u:", "")),
    ),
  );
});

test.each<[string, string | Uint8Array, RegExp]>([
  ["is HTML", "<html><body><h1>Login</h1><img src=x></body></html>", /not readable/],
  ["is empty", "", /not readable/],
  [
    "is cut off",
    "<root><device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</device",
    /no service|not readable/,
  ],
  ["brings a DOCTYPE", '<!DOCTYPE r [<!ENTITY a "b">]><root><device/></root>', /not readable/],
  [
    "expands entities",
    `<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">${"<!ENTITY b '&a;&a;&a;&a;'>".repeat(20)}]><root>&b;</root>`,
    /not readable/,
  ],
  ["is larger than 256 KiB", `<root><device>${"<a/>".repeat(100_000)}</device></root>`, /too long/],
  ["is nested without end", "<root>".repeat(5000), /not readable/],
  ["is binary", Buffer.alloc(2000, 0xff), /not readable/],
  ["names prototypes", "<root><__proto__><device/></__proto__><constructor>x</constructor></root>", /not readable/],
])("a description that %s", async (_name, description, words) => {
  const error = await refused({ description });
  expect(error.kind).toBe("failed");
  expect(error.message).toMatch(words);
});

test("a description that redirects is not followed", async () => {
  let visits = 0;
  const elsewhere = createServer((_, response) => {
    visits++;
    response.end("<root/>");
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.3", resolve));
  const { port } = elsewhere.address() as { port: number };
  const error = await refused({
    description: (socket) => reply(socket, 302, "", `Location: http://127.0.0.3:${port}/\r\n`),
  });
  expect(error.message).toMatch(/302/);
  expect(visits).toBe(0);
  elsewhere.close();
});

test("LOCATION and control URL on another host: only the one that answered is asked", async () => {
  let visits = 0;
  const victim = createServer((_, response) => {
    visits++;
    response.end();
  });
  await new Promise<void>((resolve) => victim.listen(0, "127.0.0.3", resolve));
  const { port } = victim.address() as { port: number };
  const gateway = await ScriptedGateway.start({
    search: (_text, self) => [
      self.answer("urn:schemas-upnp-org:device:InternetGatewayDevice:1", `http://127.0.0.3:${port}/secret`),
      self.answer("urn:schemas-upnp-org:device:InternetGatewayDevice:1", `http://127.0.0.3:${self.httpPort}/root.xml`),
      self.answer("urn:schemas-upnp-org:device:InternetGatewayDevice:1", "file:///etc/passwd"),
      self.answer("urn:schemas-upnp-org:device:InternetGatewayDevice:1", "https://user:password@127.0.0.3/"),
    ],
    description: (socket) =>
      reply(socket, 200, gateway.describe(undefined, `http://127.0.0.3:${gateway.httpPort}/control`)),
  });
  await using _ = gateway;
  await using mapper = mapperAt(gateway);
  const mapping = await mapper.map(REQUEST);
  expect(mapping.gateway.address).toBe(gateway.address);
  expect(visits).toBe(0);
  victim.close();
});

test.each<[string, Record<string, string | number>]>([
  ["as text", { NewInternalPort: "seven", NewInternalClient: "127.0.0.1" }],
  ["out of range", { NewInternalPort: 70_000, NewInternalClient: "127.0.0.1" }],
  ["as a negative", { NewInternalPort: -1, NewInternalClient: "127.0.0.1" }],
  ["in exponents", { NewInternalPort: "1e3", NewInternalClient: "127.0.0.1" }],
  ["not at all", { NewInternalClient: "127.0.0.1" }],
])("a table that names ports %s is read no further", async (_name, answer) => {
  await using gateway = await ScriptedGateway.start({ actions: { GetSpecificPortMappingEntry: () => answer } });
  await using mapper = mapperAt(gateway);
  // The other way of reading the table serves.
  const mapping = await mapper.map(REQUEST);
  expect(mapping.externalPort).toBe(7777);
  expect(gateway.count("GetGenericPortMappingEntry")).toBeGreaterThan(0);
});

test("a body that drips is given up at the time limit", async () => {
  const drips = new Set<ReturnType<typeof setInterval>>();
  const error = await refused({
    description: (socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
      const drip = setInterval(() => socket.write("<"), 50);
      drips.add(drip);
      socket.on("close", () => clearInterval(drip));
    },
  });
  expect(error.message).toMatch(/did not answer within/);
});

test("a router that takes connections and says nothing", async () => {
  const error = await refused({ raw: () => true });
  expect(error.message).toMatch(/did not answer within/);
});

test("a switch to another protocol", async () => {
  const error = await refused({
    raw: (socket) => (
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), true
    ),
  });
  expect(error.message).toMatch(/no HTTP/);
});

test("headers without end", async () => {
  const error = await refused({
    raw: (socket) => (socket.write(`HTTP/1.1 200 OK\r\n${"X-A: b\r\n".repeat(4000)}`), true),
  });
  expect(error.kind).toBe("failed");
});

test("SSDP answers that are no SSDP, and a flood of them", async () => {
  const gateway = await ScriptedGateway.start({
    search: (_text, self) => [
      "",
      "HTTP/1.1 200 OK",
      "HTTP/1.1 404 Not Found\r\nLOCATION: http://127.0.0.2/\r\n\r\n",
      "HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nLOCATION: http://[::1/\r\nST: upnp:rootdevice\r\n\r\n",
      Buffer.alloc(1400, 0),
      self.answer("urn:schemas-upnp-org:device:MediaRenderer:1"),
      self.answer("urn:schemas-upnp-org:device:InternetGatewayDevice:1"),
      ...Array.from({ length: 100 }, (_, i) =>
        self.answer("upnp:rootdevice", `http://127.0.0.2:${self.httpPort}/${i}`),
      ),
    ],
  });
  await using _ = gateway;
  await using mapper = mapperAt(gateway);
  await mapper.map(REQUEST);
  expect(gateway.requests.filter(({ method }) => method === "GET").length).toBeLessThanOrEqual(16);
});

test("a gateway that answers ssdp:all alone, and with its first descriptor alone", async () => {
  await mapped({ search: (text, self) => (text.includes("ST: ssdp:all") ? [self.answer("upnp:rootdevice")] : []) });
});

test("LF-only SSDP with odd header case", async () => {
  await mapped({
    search: (_text, self) => [
      `HTTP/1.1 200 OK\nlocation:${self.location}\nSt:urn:schemas-upnp-org:device:InternetGatewayDevice:2\n\n`,
    ],
  });
});
