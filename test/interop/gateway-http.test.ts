/** HTTP and SOAP as routers speak them, and refusals that leave a range of ports open. */
import type { Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { fastClock, mapperAt, REQUEST, refusal, withMapping } from "./gateway-mapping.ts";
import { PortControlServer } from "./port-control-server.ts";
import {
  type ActionArguments,
  Fault,
  faultBody,
  reply,
  ScriptedGateway,
  type ScriptedOptions,
  type ScriptedRequest,
} from "./scripted-gateway.ts";

const after = (ms: number, what: () => void): void => void setTimeout(what, ms).unref();

/** Writes right answers with `write`. */
function writing(write: (socket: Socket, status: number, body: Buffer) => void): ScriptedOptions {
  let gateway: ScriptedGateway | undefined;
  return {
    search: (text, self) => {
      gateway = self;
      return text.includes("InternetGatewayDevice:1")
        ? [self.answer("urn:schemas-upnp-org:device:InternetGatewayDevice:1")]
        : [];
    },
    raw: (socket, request) => {
      const { status, body } = rightAnswer(gateway ?? expect.fail("nobody searched"), request);
      write(socket, status, Buffer.from(body));
      return true;
    },
  };
}

function rightAnswer(
  gateway: ScriptedGateway,
  { method, headers, body }: ScriptedRequest,
): { status: number; body: string } {
  if (method === "GET") return { status: 200, body: gateway.describe() };
  const action = /#(\w+)/.exec(headers["SOAPAction"] ?? "")?.[1] ?? "";
  const input = Object.fromEntries(
    [...body.matchAll(/<(New\w+)>([^<]*)<\/\1>/g)].map(([, name = "", value = ""]) => [name, value]),
  );
  const answer = gateway.perform(action, input);
  if (answer instanceof Fault) return { status: 500, body: faultBody(answer.code) };
  return { status: 200, body: gateway.response(action, typeof answer === "object" ? answer : {}) };
}

describe("an answer that the router cuts off with a reset", () => {
  const cuts: [string, (status: number, body: Buffer) => string][] = [
    [
      "HTTP/1.0, no length",
      (status, body) => `HTTP/1.0 ${status} X\r\nContent-Type: text/xml\r\n\r\n${body.toString()}`,
    ],
    ["a length", (status, body) => `HTTP/1.1 ${status} X\r\nContent-Length: ${body.length}\r\n\r\n${body.toString()}`],
    [
      "a length too long",
      (status, body) => `HTTP/1.1 ${status} X\r\nContent-Length: ${body.length + 9}\r\n\r\n${body.toString()}`,
    ],
  ];
  test.each(cuts)("whole, %s: it counts", async (_name, text) => {
    const { gateway } = await withMapping(
      writing((socket, status, body) => socket.write(text(status, body), () => socket.resetAndDestroy())),
      (mapping) => expect(mapping).toMatchObject({ externalPort: 7777, proof: "router" }),
    );
    expect(gateway.table.size).toBe(0);
  });

  test("before anything came: it is silence", async () => {
    const { error } = await refusal({ raw: (socket) => (socket.resetAndDestroy(), true) });
    expect(error.kind).toBe("failed");
    expect(error.message).toMatch(/cannot be reached \(ECONNRESET\)/);
  });

  test("in the middle of a description: it is not readable", async () => {
    const { error } = await refusal({
      description: (socket) => socket.write("HTTP/1.0 200 OK\r\n\r\n<root><dev", () => socket.resetAndDestroy()),
    });
    expect(error.message).toMatch(/not readable/);
  });
});

describe("oddities that Node's parser refuses", () => {
  const odd: [string, (status: number, body: Buffer) => string][] = [
    ["no length, and the connection stays open", (status, body) => `HTTP/1.1 ${status} X\r\n\r\n${body.toString()}`],
    [
      "a blank before the colon",
      (status, body) =>
        `HTTP/1.1 ${status} X\r\nServer : x\r\nContent-Length : ${body.length}\r\n\r\n${body.toString()}`,
    ],
    [
      "the length twice",
      (status, body) =>
        `HTTP/1.1 ${status} X\r\nContent-Length: ${body.length}\r\nContent-Length: ${body.length + 1}\r\n\r\n${body.toString()}`,
    ],
    [
      "a line without a colon",
      (status, body) =>
        `HTTP/1.1 ${status} X\r\nMiniRouter\r\nContent-Length: ${body.length}\r\n\r\n${body.toString()}`,
    ],
    ["a length of 0", (status, body) => `HTTP/1.1 ${status} X\r\nContent-Length: 0\r\n\r\n${body.toString()}`],
  ];
  test.each(odd)("%s", async (_name, text) => {
    await withMapping(
      writing((socket, status, body) => socket.write(text(status, body))),
      (mapping) => expect(mapping).toMatchObject({ externalPort: 7777, proof: "router" }),
    );
  });
});

describe("a slow router", () => {
  const slow = (ms: number): ScriptedOptions =>
    writing((socket, status, body) => after(ms, () => !socket.destroyed && reply(socket, status, body)));

  test("3 s for every answer: mapped", async () => {
    await using gateway = await ScriptedGateway.start(slow(3000));
    await using mapper = mapperAt(gateway);
    expect(await mapper.map(REQUEST)).toMatchObject({ externalPort: 7777, proof: "router" });
  });

  test("its patience can be set", async () => {
    const began = performance.now();
    const { error } = await refusal(slow(3000), { mapper: { stepTimeoutMs: 300 } });
    expect(error.message).toMatch(/did not answer within 300 ms/);
    expect(performance.now() - began).toBeLessThan(2500);
    expect(() => mapperAt({ interfaces: [], ports: {} } as unknown as ScriptedGateway, { stepTimeoutMs: 0 })).toThrow(
      /stepTimeoutMs must be above 0/,
    );
  });
});

describe("faults", () => {
  const only = (isFine: (input: ActionArguments) => boolean, otherwise: (socket: Socket) => void): ScriptedOptions => {
    return {
      raw: (socket, { body }) => {
        if (!body.includes(":AddPortMapping ")) return false;
        const input = Object.fromEntries(
          [...body.matchAll(/<(New\w+)>([^<]*)<\/\1>/g)].map(([, name = "", value = ""]) => [name, value]),
        );
        if (isFine(input)) return false;
        otherwise(socket);
        return true;
      },
    };
  };
  const permanent = (input: ActionArguments): boolean => input["NewLeaseDuration"] === "0";

  test.each([-911, -1, 899, 600, 604])("%i for every lease but a permanent one", async (code) => {
    await withMapping(
      only(permanent, (socket) => reply(socket, 500, faultBody(code))),
      (mapping) => expect(mapping).toMatchObject({ externalPort: 7777, expiresAt: 0, proof: "router" }),
    );
  });

  const bodies: [string, (socket: Socket) => void][] = [
    ["HTTP 500 and a page", (socket) => reply(socket, 500, "<html>Internal Server Error</html>")],
    ["HTTP 400 and nothing", (socket) => reply(socket, 400, "")],
    ["HTTP 200 and a fault", (socket) => reply(socket, 200, faultBody(725))],
    [
      "a fault that its own text breaks",
      (socket) => reply(socket, 500, faultBody(725).replace(">x<", "> a & b < c <")),
    ],
    ["a fault that is cut off", (socket) => reply(socket, 500, faultBody(725).slice(0, -90))],
    [
      "a fault without detail",
      (socket) => reply(socket, 500, faultBody(725).replace("<detail>", "").replace("</detail>", "")),
    ],
    ["a fault without a code", (socket) => reply(socket, 500, faultBody(725).replace("725", ""))],
    ["a fault in capitals", (socket) => reply(socket, 500, faultBody(725).toUpperCase())],
  ];
  test.each(bodies)("%s means: no lease but a permanent one", async (_name, otherwise) => {
    await withMapping(only(permanent, otherwise), (mapping) =>
      expect(mapping).toMatchObject({ externalPort: 7777, expiresAt: 0, proof: "router" }),
    );
  });

  test("402 for the description alone: the lease stays", async () => {
    await withMapping(
      only(
        ({ NewPortMappingDescription }) => NewPortMappingDescription === "Sallyport",
        (socket) => reply(socket, 500, faultBody(402)),
      ),
      (mapping, { table }) => {
        expect(mapping.externalPort).toBe(7777);
        expect(table.get("UDP 7777")?.lease).toBe(7200);
      },
    );
  });

  test.each([
    [402, /could not map UDP port 7777 with any lease or description \(402\).*table.*may be full/],
    [501, /could not map UDP port 7777 \(501\).*table.*may be full: remove old entries/],
    [728, /table of port mappings is full \(728\): remove old entries/],
    [603, /table of port mappings is full \(603\): remove old entries/],
    [725, /refuses a permanent entry and every lease \(725\)/],
    [606, /not UDP port 7777 \(606\): allow it in the router's UPnP settings/],
    [-911, /-911.*[Ff]orward the port by hand/],
  ])("%i for everything: named with the remedy, after few requests", async (code, words) => {
    const { error, gateway } = await refusal({ actions: { AddPortMapping: () => new Fault(code) } });
    expect(error.message).toMatch(words);
    expect(error.code).toBe(code);
    expect(gateway.count("AddPortMapping")).toBeLessThanOrEqual(10);
  });
});

describe("a router that lets programs map a range alone", () => {
  const inRange = ({ NewExternalPort }: ActionArguments): boolean =>
    Number(NewExternalPort) >= 30_000 && Number(NewExternalPort) <= 30_100;

  /** As miniupnpd does with an ACL: 606, and AddAnyPortMapping takes the first free port of the range. */
  const ranged = (version: 1 | 2): ScriptedOptions => ({
    serviceType: `urn:schemas-upnp-org:service:WANIPConnection:${version}`,
    actions: {
      AddPortMapping: (input) => (inRange(input) ? undefined : new Fault(606)),
      AddAnyPortMapping: (input, gateway) => {
        const asked = Number(input["NewExternalPort"]);
        let port = asked >= 30_000 && asked <= 30_100 ? asked : 30_000;
        while (gateway.table.has(`${input["NewProtocol"]} ${port}`)) port++;
        gateway.perform("AddPortMapping", { ...input, NewExternalPort: String(port) });
        return { NewReservedPort: port };
      },
    },
  });

  test.each([1, 2] as const)("IGD:%i: the router's choice is taken", async (version) => {
    const { gateway } = await withMapping(ranged(version), (mapping) =>
      expect(mapping).toMatchObject({ externalPort: 30_000, proof: "router" }),
    );
    expect(gateway.table.size).toBe(0);
  });

  test("UDP and TCP on one number of the range, though TCP has the first one already", async () => {
    await using gateway = await ScriptedGateway.start(ranged(2));
    const taken = { client: "127.0.0.9", internalPort: 1, description: "Other", lease: 0, enabled: true };
    gateway.table.set("TCP 30000", taken);
    await using mapper = mapperAt(gateway);
    const { externalPort } = await mapper.map({ ...REQUEST, protocol: "both" });
    expect(externalPort).toBe(30_001);
    expect([...gateway.table.keys()].sort()).toEqual(["TCP 30000", "TCP 30001", "UDP 30001"]);
  });

  test("no action helps: the first refusal is told", async () => {
    const { error } = await refusal({ actions: { AddPortMapping: () => new Fault(606) } });
    expect(error).toMatchObject({ kind: "refused", code: 606 });
  });

  test.each([
    [2, "NOT_AUTHORIZED"],
    [11, "CANNOT_PROVIDE_EXTERNAL"],
  ])("PCP refuses the port with %i (%s), and suggests another where it may choose", async (result) => {
    const server = new PortControlServer({
      natPmp: false,
      instead: (datagram, right) => {
        if (datagram[1] !== 1 || datagram.readUInt32BE(4) === 0) return undefined;
        const answer = Buffer.from(right);
        const hasOption = datagram.length > 60;
        const port = datagram.readUInt16BE(42);
        if (port >= 30_000 && port <= 30_100) return undefined;
        if (hasOption) answer[3] = result;
        else answer.writeUInt16BE(30_000, 42);
        return [answer.subarray(0, 60)];
      },
    });
    await using gateway = await ScriptedGateway.start({ search: () => [], portControl: server.answer });
    await using mapper = mapperAt(gateway, { via: ["pcp"], environment: { clock: fastClock(1) } });
    expect(await mapper.map({ ...REQUEST, protocol: "both" })).toMatchObject({ via: "pcp", externalPort: 30_000 });
  });
});
