/** SOAP messages of UPnP control (UPnP Device Architecture 2.0 section 3.2). No I/O. */
import { UpnpError, upnpErrorName } from "./errors.ts";
import { child, escapeXml, parseXml, text, type XmlElement } from "./xml.ts";

/** Arguments in the order of the specification: some routers read them by position. */
export type SoapArguments = readonly (readonly [name: string, value: string | number])[];

/** The body of a request (UPnP Device Architecture 2.0 section 3.2.1). */
export function encodeAction(serviceType: string, action: string, input: SoapArguments): string {
  const inner = input.map(([name, value]) => `<${name}>${escapeXml(String(value))}</${name}>`).join("");
  return (
    '<?xml version="1.0"?>\r\n' +
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">' +
    `<s:Body><u:${action} xmlns:u="${serviceType}">${inner}</u:${action}></s:Body></s:Envelope>\r\n`
  );
}

/**
 * Reads a response or a fault (sections 3.2.2 and 3.2.3), whatever the HTTP status: some routers send faults with 200.
 * @param answersNothing of an action without output arguments, any success does: some routers answer with no body, or with one
 * that is no response
 * @throws {UpnpError} `fault` with the device's code, `http` for another status, `response` for anything else.
 */
export function decodeAction(
  serviceType: string,
  action: string,
  status: number,
  bytes: Uint8Array,
  answersNothing = false,
): XmlElement {
  const body = child(child(parseXml(bytes), "Envelope"), "Body");
  const code = faultCode(body, bytes);
  if (code !== undefined) {
    throw new UpnpError("fault", `${action}: ${code} ${upnpErrorName(serviceType, code)}`, { code, serviceType });
  }
  if (child(body, "Fault")) {
    throw new UpnpError("http", `${action}: HTTP ${status}, a fault without a code`, { code: status, serviceType });
  }
  for (const name of [`${action}Response`, action]) {
    const response = child(body, name);
    if (response) return response;
    // An action without output arguments may answer with an empty element, which a parser reads as text.
    if (body && text(body, name) !== undefined) return {};
  }
  if (status < 200 || status > 299) {
    throw new UpnpError("http", `${action}: HTTP ${status}`, { code: status, serviceType });
  }
  if (answersNothing) return {};
  throw new UpnpError("response", `${action}: the router's answer is not readable`, { serviceType });
}

/**
 * The code of a fault. Some routers send negative ones, some leave `detail` out, and some break the document with what their
 * `errorDescription` contains: the code is then read from the text.
 */
function faultCode(body: XmlElement | undefined, bytes: Uint8Array): number | undefined {
  const fault = child(body, "Fault");
  // Without a body the document is not readable.
  if (body !== undefined && fault === undefined) return undefined;
  const told = text(child(child(fault, "detail"), "UPnPError"), "errorCode");
  const found = told ?? ERROR_CODE.exec(Buffer.from(bytes.subarray(0, MAX_FAULT)).toString("latin1"))?.[1] ?? "";
  return /^\s*-?\d{1,6}\s*$/.test(found) ? Number(found) : undefined;
}

/** Faults are short: no more is searched for a code. */
const MAX_FAULT = 4096;
const ERROR_CODE = /<(?:[\w.-]{1,32}:)?errorCode>\s*(-?\d{1,6})\s*</i;
