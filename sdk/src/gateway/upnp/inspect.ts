import { withZone } from "../../net/address.ts";
import type { Clock } from "../../net/clock.ts";
import { addressScope } from "../../net/scope.ts";
import { zoneOf } from "../../net/zone.ts";
import { whyNotPublic } from "../external-address.ts";
import type { LocalInterface } from "../interfaces.ts";
import { connectionServices, type DeviceDescription, firewallService, parseDescription } from "./description.ts";
import { UpnpError } from "./errors.ts";
import { UpnpGateway } from "./gateway.ts";
import { Subscription, type SubscriptionOptions } from "./gena.ts";
import type { HttpClient } from "./http.ts";
import { WanConnection } from "./igd.ts";
import { pinUrl } from "./pin-url.ts";
import { FirewallControl, PinholeGateway } from "./pinhole.ts";

/** Milliseconds for a description, and for the questions that follow. */
const TIMEOUT = 2500;

/** Where a description is, who says so, and which address of ours it was said to. */
export interface Whereabouts {
  location: string;
  responder: string;
  localAddress: string;
  bootId?: number | undefined;
}

/** Reads the root description behind an answer; everything is asked of the responder alone. @throws {UpnpError} */
export async function fetchDescription(
  http: HttpClient,
  { location, responder, localAddress }: Whereabouts,
  signal?: AbortSignal,
  timeoutMs: number = TIMEOUT,
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
  // Whether it is connected decides among several; of a single one the external address tells enough.
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
  const options = { signal, timeoutMs: TIMEOUT };
  const [status, externalAddress] = await Promise.all([
    asksStatus ? connection.getStatusInfo(options).catch(() => undefined) : undefined,
    connection.getExternalIpAddress(options).catch(() => undefined),
  ]);
  if (status === undefined && externalAddress === undefined) return undefined;
  return {
    connection,
    // A router that does not tell its state may well be connected.
    connected: status?.connected ?? externalAddress !== undefined,
    externalAddress: externalAddress ?? "",
  };
}

/** A machine may have many IPv6 addresses; holes are made to the first ones. */
const MAX_ADDRESSES_6 = 2;

/**
 * The gateway's IPv6 firewall, asked from each of our global addresses: gateways open a hole only to who asks. Its control URL is
 * the one that was learned over IPv4, at the router's IPv6 address.
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
