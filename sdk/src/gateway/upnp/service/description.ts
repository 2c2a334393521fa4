import { UpnpError } from "./errors.ts";
import { pinUrl } from "./pin-url.ts";
import { child, children, parseXml, text, type XmlElement } from "./xml.ts";

/** Longest text that is kept of a description. */
const MAX_TEXT = 256;
/** More services than any gateway has. */
const MAX_SERVICES = 64;

export interface ServiceDescription {
  readonly serviceType: string;
  readonly controlUrl: URL;
  readonly eventUrl: URL | undefined;
}

export interface DeviceDescription {
  readonly deviceType: string;
  /** `friendlyName`, else model or manufacturer. */
  readonly name: string;
  readonly udn: string;
  readonly services: readonly ServiceDescription[];
}

/** Services that map ports, best first. Some routers of old DSL providers offer theirs under the DSL Forum's names. */
const CONNECTION_SERVICES: readonly RegExp[] = [
  /^urn:schemas-upnp-org:service:WANIPConnection:2$/,
  /^urn:schemas-upnp-org:service:WANIPConnection:1$/,
  /^urn:schemas-upnp-org:service:WANPPPConnection:[12]$/,
  /^urn:[^:]{1,64}:service:WANIPConnection:\d$/,
  /^urn:[^:]{1,64}:service:WANPPPConnection:\d$/,
];
const FIREWALL_SERVICE = /^urn:schemas-upnp-org:service:WANIPv6FirewallControl:1$/;

/**
 * Reads a root description (UPnP Device Architecture 2.0 section 2.3). Its URLs are resolved against URLBase or the
 * location, and pinned to `responder`.
 * @throws {UpnpError} `response` when it cannot be read.
 */
export function parseDescription(bytes: Uint8Array, location: URL, responder: string): DeviceDescription {
  const root = child(parseXml(bytes), "root");
  const device = child(root, "device");
  if (!device) throw new UpnpError("response", "the router's description is not readable");
  const base = baseUrl(text(root, "URLBase"), location, responder);
  const services: ServiceDescription[] = [];
  collect(device, base, responder, services, 0);
  const name = [text(device, "friendlyName"), text(device, "modelName"), text(device, "manufacturer")].find(
    (each) => each,
  );
  return {
    deviceType: clip(text(device, "deviceType")),
    name: clip(name) || "UPnP gateway",
    udn: clip(text(device, "UDN")),
    services,
  };
}

function baseUrl(urlBase: string | undefined, location: URL, responder: string): URL {
  if (!urlBase) return location;
  try {
    return pinUrl(urlBase, responder, location);
  } catch {
    return location;
  }
}

function collect(device: XmlElement, base: URL, responder: string, into: ServiceDescription[], depth: number): void {
  // Root, WAN device, WAN connection device; some routers nest once more.
  if (depth > 6) return;
  for (const service of children(child(device, "serviceList"), "service")) {
    const serviceType = clip(text(service, "serviceType"));
    const control = text(service, "controlURL");
    if (!serviceType || !control || into.length >= MAX_SERVICES) continue;
    try {
      const events = text(service, "eventSubURL");
      into.push({
        serviceType,
        controlUrl: pinUrl(control, responder, base),
        eventUrl: events ? pinUrl(events, responder, base) : undefined,
      });
    } catch (error) {
      if (!(error instanceof UpnpError)) throw error;
    }
  }
  for (const inner of children(child(device, "deviceList"), "device")) collect(inner, base, responder, into, depth + 1);
}

/** The services that can map a port, best first. */
export function connectionServices({ services }: DeviceDescription): ServiceDescription[] {
  return CONNECTION_SERVICES.flatMap((pattern) =>
    services.filter(({ serviceType }) => pattern.test(serviceType)),
  ).filter((service, index, all) => all.indexOf(service) === index);
}

/** The service that opens IPv6 pinholes, where the gateway has one. */
export function firewallService({ services }: DeviceDescription): ServiceDescription | undefined {
  return services.find(({ serviceType }) => FIREWALL_SERVICE.test(serviceType));
}

function clip(value: string | undefined): string {
  return (value ?? "")
    .replace(/\p{Cc}+/gu, " ")
    .trim()
    .slice(0, MAX_TEXT);
}
