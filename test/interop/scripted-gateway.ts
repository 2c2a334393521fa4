/** A home gateway that does what a test tells it to: every odd code, quirk and malice that no real one shows on demand. */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from "node:dgram";
import { createServer, type Server, type Socket } from "node:net";
import type { LocalInterface } from "../../sdk/src/gateway/interfaces.ts";

export interface ScriptedRequest {
  method: string;
  path: string;
  headers: Readonly<Record<string, string>>;
  body: string;
}

/** Writes whatever it likes to the connection. */
export type RawHandler = (socket: Socket, request: ScriptedRequest) => void;

export class Fault {
  readonly code: number;
  constructor(code: number) {
    this.code = code;
  }
}

export type ActionArguments = Readonly<Record<string, string>>;
/** Output arguments, a fault, a whole answer, or `undefined` for what the gateway does by itself. */
export type ActionAnswer = Record<string, string | number> | Fault | string | undefined;

export interface Entry {
  client: string;
  internalPort: number;
  description: string;
  lease: number;
  enabled: boolean;
}

export interface ScriptedOptions {
  /** Service that maps ports, default `urn:schemas-upnp-org:service:WANIPConnection:1`. */
  serviceType?: string;
  externalAddress?: string;
  /** Answers to M-SEARCH; default: one that is right. */
  search?: (request: string, gateway: ScriptedGateway) => readonly (string | Uint8Array)[];
  /** Hears every M-SEARCH, for what answers from other addresses. */
  onSearch?: (request: string, from: RemoteInfo) => void;
  /** Replaces the description. */
  description?: string | Uint8Array | RawHandler;
  /** Before the gateway's own actions. */
  actions?: Readonly<Record<string, (input: ActionArguments, gateway: ScriptedGateway) => ActionAnswer>>;
  /** Takes a connection over. Whether it did. */
  raw?: (socket: Socket, request: ScriptedRequest) => boolean;
  /** PCP and NAT-PMP: answers to a datagram. Without it nobody listens. */
  portControl?: (datagram: Buffer, from: RemoteInfo, gateway: ScriptedGateway) => readonly Uint8Array[];
  /** Its address on the loopback network, default 127.0.0.2. */
  address?: string;
}

export class ScriptedGateway implements AsyncDisposable {
  readonly address: string;
  readonly options: ScriptedOptions;
  /** Key `UDP 7777`. */
  readonly table = new Map<string, Entry>();
  /** Every action asked for, with its arguments. */
  readonly calls: { action: string; input: ActionArguments; headers: Readonly<Record<string, string>> }[] = [];
  readonly requests: ScriptedRequest[] = [];
  ssdpPort = 0;
  httpPort = 0;
  portControlPort = 0;
  uptime = 1000;
  /** BOOTID.UPNP.ORG of its answers and announcements, which only younger routers have. */
  bootId: number | undefined;
  externalAddress: string;
  readonly #sockets: UdpSocket[] = [];
  #ssdp: UdpSocket | undefined;
  readonly #connections = new Set<Socket>();
  #server: Server | undefined;

  private constructor(options: ScriptedOptions) {
    this.options = options;
    this.address = options.address ?? "127.0.0.2";
    this.externalAddress = options.externalAddress ?? "11.22.33.44";
  }

  static async start(options: ScriptedOptions = {}): Promise<ScriptedGateway> {
    const gateway = new ScriptedGateway(options);
    const server = createServer((socket) => gateway.#serve(socket));
    gateway.#server = server;
    await new Promise<void>((resolve) => server.listen(0, gateway.address, resolve));
    gateway.httpPort = (server.address() as { port: number }).port;
    gateway.#ssdp = await gateway.#bind((text, from, socket) => {
      options.onSearch?.(text.toString("latin1"), from);
      for (const answer of gateway.#search(text.toString("latin1"))) socket.send(answer, from.port, from.address);
    });
    gateway.ssdpPort = gateway.#ssdp.address().port;
    if (options.portControl) {
      const answer = options.portControl;
      const socket = await gateway.#bind((datagram, from, asked) => {
        for (const reply of answer(datagram, from, gateway)) asked.send(reply, from.port, from.address);
      });
      gateway.portControlPort = socket.address().port;
    }
    return gateway;
  }

  get serviceType(): string {
    return this.options.serviceType ?? "urn:schemas-upnp-org:service:WANIPConnection:1";
  }

  get location(): string {
    return `http://${this.address}:${this.httpPort}/root.xml`;
  }

  /** This computer as the gateway's client. */
  get interfaces(): LocalInterface[] {
    return [{ name: "lo", address: "127.0.0.1", family: 4, prefixLength: 8, gateway: this.address }];
  }

  get ports(): { ssdp: number; portControl: number; announcements: number } {
    // Port 9 of the loopback: nobody listens there.
    return { ssdp: this.ssdpPort, portControl: this.portControlPort || 9, announcements: 0 };
  }

  answer(st: string, location: string = this.location): string {
    const boot = this.bootId === undefined ? "" : `BOOTID.UPNP.ORG: ${this.bootId}\r\n`;
    return `HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: ${st}\r\nUSN: uuid:1::${st}\r\nEXT:\r\nSERVER: scripted\r\nLOCATION: ${location}\r\n${boot}\r\n`;
  }

  /** Says `ssdp:alive`, as a router does after its start: to this computer, since the loopback has no multicast. */
  announce(nt = "urn:schemas-upnp-org:device:InternetGatewayDevice:1"): void {
    const boot = this.bootId === undefined ? "" : `BOOTID.UPNP.ORG: ${this.bootId}\r\n`;
    const notify = `NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nCACHE-CONTROL: max-age=120\r\nNT: ${nt}\r\nNTS: ssdp:alive\r\nUSN: uuid:1::${nt}\r\nLOCATION: ${this.location}\r\n${boot}\r\n`;
    this.#ssdp?.send(notify, this.ssdpPort, "127.0.0.1");
  }

  describe(serviceType: string = this.serviceType, controlUrl = "/control"): string {
    return `<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major><minor>0</minor></specVersion>
<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><friendlyName>Scripted</friendlyName><UDN>uuid:scripted</UDN>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType>
<serviceList><service><serviceType>${serviceType}</serviceType><serviceId>a</serviceId><controlURL>${controlUrl}</controlURL><SCPDURL>/s</SCPDURL></service></serviceList>
</device></deviceList></device></deviceList></device></root>`;
  }

  /** How often an action was asked for. */
  count(action: string): number {
    return this.calls.filter((call) => call.action === action).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.close();
    for (const connection of this.#connections) connection.destroy();
    await new Promise<void>((resolve) => (this.#server ? this.#server.close(() => resolve()) : resolve()));
  }

  async #bind(onMessage: (datagram: Buffer, from: RemoteInfo, socket: UdpSocket) => void): Promise<UdpSocket> {
    // Who listens for announcements has the same port, at another address.
    const socket = createSocket({ type: "udp4", reuseAddr: true });
    this.#sockets.push(socket);
    socket.on("message", (datagram, from) => onMessage(datagram, from, socket));
    await new Promise<void>((resolve) => socket.bind(0, this.address, resolve));
    return socket;
  }

  #search(text: string): readonly (string | Uint8Array)[] {
    if (this.options.search) return this.options.search(text, this);
    const st = /^ST: (.*)$/m.exec(text)?.[1]?.trim() ?? "";
    return /InternetGatewayDevice:1|rootdevice|ssdp:all/.test(st) ? [this.answer(st)] : [];
  }

  #serve(socket: Socket): void {
    this.#connections.add(socket);
    socket.on("close", () => this.#connections.delete(socket));
    socket.on("error", () => undefined);
    let text = "";
    let answered = false;
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      if (end < 0 || answered) return;
      const [start = "", ...lines] = text.slice(0, end).split("\r\n");
      const headers: Record<string, string> = {};
      for (const line of lines) {
        const colon = line.indexOf(":");
        headers[line.slice(0, colon)] = line.slice(colon + 1).trim();
      }
      const length = Number(
        Object.entries(headers).find(([name]) => name.toLowerCase() === "content-length")?.[1] ?? 0,
      );
      if (text.length < end + 4 + length) return;
      answered = true;
      const [method = "", path = ""] = start.split(" ");
      this.#answer(socket, { method, path, headers, body: text.slice(end + 4) });
    });
  }

  #answer(socket: Socket, request: ScriptedRequest): void {
    this.requests.push(request);
    if (this.options.raw?.(socket, request)) return;
    if (request.method === "GET") {
      const { description = this.describe() } = this.options;
      if (typeof description === "function") description(socket, request);
      else reply(socket, 200, description);
      return;
    }
    if (request.method !== "POST") return reply(socket, 501, "");
    const action = /#(\w+)/.exec(request.headers["SOAPAction"] ?? "")?.[1] ?? "";
    const input = Object.fromEntries(
      [...request.body.matchAll(/<(New\w+)>([^<]*)<\/\1>/g)].map(([, name = "", value = ""]) => [name, value]),
    );
    this.calls.push({ action, input, headers: request.headers });
    const answer = this.options.actions?.[action]?.(input, this) ?? this.perform(action, input);
    if (answer instanceof Fault) return reply(socket, 500, faultBody(answer.code));
    if (typeof answer === "string") return reply(socket, 200, answer);
    reply(socket, 200, this.response(action, answer ?? {}));
  }

  response(action: string, output: Record<string, string | number>): string {
    const inner = Object.entries(output).map(([name, value]) => `<${name}>${value}</${name}>`);
    return `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><u:${action}Response xmlns:u="${this.serviceType}">${inner.join("")}</u:${action}Response></s:Body></s:Envelope>`;
  }

  /** What a right gateway does. */
  perform(action: string, input: ActionArguments): ActionAnswer {
    const key = `${input["NewProtocol"]} ${input["NewExternalPort"]}`;
    switch (action) {
      case "GetStatusInfo":
        return { NewConnectionStatus: "Connected", NewLastConnectionError: "ERROR_NONE", NewUptime: this.uptime };
      case "GetExternalIPAddress":
        return { NewExternalIPAddress: this.externalAddress };
      case "GetSpecificPortMappingEntry": {
        const entry = this.table.get(key);
        return entry ? entryArguments(entry) : new Fault(714);
      }
      case "GetGenericPortMappingEntry": {
        const row = [...this.table][Number(input["NewPortMappingIndex"])];
        if (!row) return new Fault(713);
        const [protocol, port] = row[0].split(" ");
        return {
          NewRemoteHost: "",
          NewExternalPort: port ?? "",
          NewProtocol: protocol ?? "",
          ...entryArguments(row[1]),
        };
      }
      case "AddPortMapping": {
        const before = this.table.get(key);
        if (before && before.client !== input["NewInternalClient"]) return new Fault(718);
        this.table.set(key, {
          client: input["NewInternalClient"] ?? "",
          internalPort: Number(input["NewInternalPort"]),
          description: input["NewPortMappingDescription"] ?? "",
          lease: Number(input["NewLeaseDuration"]),
          enabled: true,
        });
        return {};
      }
      case "DeletePortMapping":
        return this.table.delete(key) ? {} : new Fault(714);
      default:
        return new Fault(401);
    }
  }
}

function entryArguments({ client, internalPort, description, lease, enabled }: Entry): Record<string, string | number> {
  return {
    NewInternalPort: internalPort,
    NewInternalClient: client,
    NewEnabled: enabled ? 1 : 0,
    NewPortMappingDescription: description,
    NewLeaseDuration: lease,
  };
}

export function faultBody(code: number): string {
  return `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>${code}</errorCode><errorDescription>x</errorDescription></UPnPError></detail></s:Fault></s:Body></s:Envelope>`;
}

export function reply(socket: Socket, status: number, body: string | Uint8Array, headers = ""): void {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  socket.write(
    `HTTP/1.1 ${status} X\r\nContent-Type: text/xml\r\nContent-Length: ${bytes.length}\r\n${headers}Connection: close\r\n\r\n`,
  );
  socket.end(bytes);
}
