import { withZone } from "../../net/address.ts";
import type { Clock } from "../../net/clock.ts";
import { addressScope } from "../../net/scope.ts";
import { zoneOf } from "../../net/zone.ts";
import { whyNotPublic } from "../external-address.ts";
import type { LocalInterface } from "../interfaces.ts";
import { UpnpGateway } from "./driver.ts";
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

/** For a description, and for each of the questions that follow. */
const QUESTION_TIMEOUT_MS = 2500;

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
  timeoutMs: number = QUESTION_TIMEOUT_MS,
): Promise<DeviceDescription> {
  const url = pinUrl(location, responder);
  const response = await http({
    method: "GET",
    url,
    address: responder,
    localAddress,
    timeoutMs,
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
}

/**
 * Looks at what answered a search: a gateway that maps ports, or `undefined` for any other device.
 * @throws {UpnpError} when it calls itself a gateway and does not behave as one.
 */
export async function inspectGateway(
  http: HttpClient,
  where: Whereabouts,
  clock: Clock,
  signal: AbortSignal,
): Promise<{ gateway: UpnpGateway; device: DeviceDescription; udn: string } | undefined> {
  const device = await fetchDescription(http, where, signal);
  const services = connectionServices(device);
  if (services.length === 0) {
    if (!/InternetGatewayDevice/.test(device.deviceType)) return undefined;
    throw new UpnpError("response", `${device.name} calls itself a gateway, but offers no service that maps ports`);
  }
  const { responder: address, localAddress } = where;
  const connections = services.map(
    ({ serviceType, controlUrl }) => new WanConnection({ serviceType, controlUrl, address, localAddress }, http),
  );
  // Of several connections, the connected one serves. Of a single one the external address tells enough.
  const isChoice = connections.length > 1;
  const asked = await Promise.all(connections.map((each) => askState(each, isChoice, signal)));
  // Connected and public before connected before any; the order of the services decides among equals.
  const rank = ({ connected, externalAddress }: Asked): number =>
    (connected ? 2 : 0) + (whyNotPublic(externalAddress) === undefined ? 1 : 0);
  const best = asked.filter((each) => each !== undefined).sort((a, b) => rank(b) - rank(a))[0];
  if (!best) throw new UpnpError("response", `${device.name} does not answer for its connection`);
  const { connection, externalAddress } = best;
  const eventUrl = services.find(({ controlUrl }) => controlUrl === connection.target.controlUrl)?.eventUrl;
  const subscribe =
    eventUrl &&
    ((onEvent: SubscriptionOptions["onEvent"]) =>
      new Subscription({ http, clock, eventUrl, address, localAddress, onEvent }));
  const gateway = new UpnpGateway(connection, {
    name: device.name,
    address,
    externalAddress,
    clock,
    subscribe,
    bootId: where.bootId,
  });
  return { gateway, device, udn: device.udn };
}

async function askState(
  connection: WanConnection,
  asksStatus: boolean,
  signal: AbortSignal,
): Promise<Asked | undefined> {
  const options = { signal, timeoutMs: QUESTION_TIMEOUT_MS };
  const [status, externalAddress] = await Promise.all([
    asksStatus ? connection.getStatusInfo(options).catch(() => undefined) : undefined,
    connection.getExternalIpAddress(options).catch(() => undefined),
  ]);
  if (status === undefined && externalAddress === undefined) return undefined;
  return {
    connection,
    // A router that does not tell its state may still be connected.
    connected: status?.connected ?? externalAddress !== undefined,
    externalAddress: externalAddress ?? "",
  };
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
