import { withZone } from "../../net/address.ts";
import type { Clock } from "../../net/clock.ts";
import { addressScope } from "../../net/scope.ts";
import { sleep } from "../../net/wait.ts";
import { zoneOf } from "../../net/zone.ts";
import { whyNotPublic } from "../external-address.ts";
import type { LocalInterface } from "../interfaces.ts";
import { UpnpGateway, usableAddress } from "./driver.ts";
import { PinholeGateway } from "./pinhole-driver.ts";
import {
  connectionServices,
  type DeviceDescription,
  firewallService,
  parseDescription,
} from "./service/description.ts";
import { UpnpError } from "./service/errors.ts";
import { FirewallControl } from "./service/firewall.ts";
import { Subscription, type SubscriptionOptions } from "./service/gena.ts";
import type { HttpClient } from "./service/http.ts";
import { WanConnection } from "./service/igd.ts";
import { pinUrl } from "./service/pin-url.ts";

/** A router that has told its external address has this long for the state of its connection. */
const STATE_GRACE_MS = 1000;
/** Services of one router that are tried one after another. */
const MAX_CONNECTIONS = 4;

/** Where a description is, who said so, and which address of ours heard it. */
export interface Whereabouts {
  location: string;
  responder: string;
  localAddress: string;
  bootId?: number | undefined;
}

/** Reads the root description behind an answer. Only the responder is asked. @throws {UpnpError} */
export async function fetchDescription(
  http: HttpClient,
  { location, responder, localAddress }: Whereabouts,
  signal?: AbortSignal,
): Promise<DeviceDescription> {
  const url = pinUrl(location, responder);
  const response = await http({
    method: "GET",
    url,
    address: responder,
    localAddress,
    signal,
    headers: { Connection: "close" },
  });
  if (response.status !== 200)
    throw new UpnpError("http", `the router answers HTTP ${response.status} for its description`, {
      code: response.status,
    });
  return parseDescription(response.body, url, responder);
}

interface Asked {
  connection: WanConnection;
  connected: boolean;
  externalAddress: string;
  /** Why it does not tell its external address. */
  addressProblem: UpnpError | undefined;
}

/**
 * Looks at what answered a search: the services of a gateway that map ports, best first, or `undefined` for any other device.
 * @param rank of the gateway, see {@link Gateway.rank}
 * @throws {UpnpError} when it calls itself a gateway and does not behave as one.
 */
export async function inspectGateway(
  http: HttpClient,
  where: Whereabouts,
  clock: Clock,
  signal: AbortSignal,
  rank = 0,
): Promise<{ gateways: UpnpGateway[]; device: DeviceDescription; udn: string } | undefined> {
  const device = await fetchDescription(http, where, signal);
  const services = connectionServices(device).slice(0, MAX_CONNECTIONS);
  if (services.length === 0) {
    if (!/InternetGatewayDevice/.test(device.deviceType)) return undefined;
    throw new UpnpError("response", `${device.name} calls itself a gateway, but offers no service that maps ports`);
  }
  const { responder: address, localAddress, bootId } = where;
  const connections = services.map(
    ({ serviceType, controlUrl }) => new WanConnection({ serviceType, controlUrl, address, localAddress }, http),
  );
  // Of several connections, the connected one serves. Of a single one the external address tells enough.
  const isChoice = connections.length > 1;
  const asked = await Promise.all(connections.map((each) => askState(each, isChoice, clock, signal)));
  const gateways = bestOf(asked.filter((each) => each !== undefined)).map(
    ({ connection, externalAddress, addressProblem }) => {
      const eventUrl = services.find(({ controlUrl }) => controlUrl === connection.target.controlUrl)?.eventUrl;
      const subscribe =
        eventUrl &&
        ((onEvent: SubscriptionOptions["onEvent"]) =>
          new Subscription({ http, clock, eventUrl, address, localAddress, onEvent }));
      const options = { name: device.name, address, externalAddress, clock, rank, addressProblem, subscribe, bootId };
      return new UpnpGateway(connection, options);
    },
  );
  if (gateways.length === 0) throw new UpnpError("socket", `${device.name} does not answer for its connection`);
  return { gateways, device, udn: device.udn };
}

/**
 * Connected and public before connected before any; the order of the services decides among equals. Where one is connected, those
 * that are not are left out: what they map leads nowhere.
 */
function bestOf(asked: readonly Asked[]): Asked[] {
  const points = ({ connected, externalAddress }: Asked): number =>
    (connected ? 2 : 0) + (whyNotPublic(externalAddress) === undefined ? 1 : 0);
  const sorted = asked.toSorted((a, b) => points(b) - points(a));
  return sorted.filter(({ connected }) => connected || !sorted[0]?.connected);
}

/** `undefined`: no answer at all. */
async function askState(
  connection: WanConnection,
  asksStatus: boolean,
  clock: Clock,
  signal: AbortSignal,
): Promise<Asked | undefined> {
  const address = answerOf(connection.getExternalIpAddress({ signal }));
  const late = address.then(() => sleep(STATE_GRACE_MS, signal, clock)).then(() => undefined);
  const [told, status] = await Promise.all([
    address,
    asksStatus ? Promise.race([answerOf(connection.getStatusInfo({ signal })), late]) : undefined,
  ]);
  if (told === undefined && status === undefined) return undefined;
  const isTold = told !== undefined && !(told instanceof UpnpError);
  return {
    connection,
    // A router that does not tell its state may still be connected.
    connected: status === undefined || status instanceof UpnpError ? isTold : status.connected,
    externalAddress: isTold ? usableAddress(told) : "",
    addressProblem: told instanceof UpnpError ? told : undefined,
  };
}

/** What was answered, be it a refusal; `undefined`: nothing. */
async function answerOf<T>(question: Promise<T>): Promise<T | UpnpError | undefined> {
  try {
    return await question;
  } catch (error) {
    return error instanceof UpnpError && error.kind !== "socket" ? error : undefined;
  }
}

/** A machine may have many IPv6 addresses; holes are made to the first ones. */
const MAX_ADDRESSES_6 = 2;

/**
 * The gateway's IPv6 firewall, asked from each of our global addresses: a gateway opens a hole only to the address that asks. Its
 * control URL is the one that was learned over IPv4, at the router's IPv6 address.
 */
export function pinholeGateways(
  http: HttpClient,
  device: DeviceDescription,
  own: readonly LocalInterface[],
  clock: Clock,
): PinholeGateway[] {
  const service = firewallService(device);
  if (!service) return [];
  return own
    .filter(({ address, gateway }) => gateway !== undefined && addressScope(address) === "public")
    .slice(0, MAX_ADDRESSES_6)
    .map(({ address: localAddress, gateway = "", name }) => {
      const address = gateway.startsWith("fe80:") ? withZone(gateway, zoneOf(name)) : gateway;
      const target = {
        serviceType: service.serviceType,
        controlUrl: pinUrl(service.controlUrl.href, address),
        address,
        localAddress,
      };
      // It announces itself over IPv4.
      const announcesFrom = service.controlUrl.hostname;
      return new PinholeGateway(new FirewallControl(target, http), { name: device.name, clock, announcesFrom });
    });
}
