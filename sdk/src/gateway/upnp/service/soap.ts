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
 * @throws {UpnpError} `fault` with the device's code, `http` for another status, `response` for anything else.
 */
export function decodeAction(serviceType: string, action: string, status: number, bytes: Uint8Array): XmlElement {
  const body = child(child(parseXml(bytes), "Envelope"), "Body");
  const fault = child(body, "Fault");
  if (fault) {
    const error = child(child(fault, "detail"), "UPnPError");
    const code = text(error, "errorCode") ?? "";
    if (/^\d{3,4}$/.test(code)) {
      const number = Number(code);
      throw new UpnpError("fault", `${action}: ${number} ${upnpErrorName(serviceType, number)}`, {
        code: number,
        serviceType,
      });
    }
    throw new UpnpError("http", `${action}: HTTP ${status}, a fault without a code`, { code: status, serviceType });
  }
  if (status !== 200) throw new UpnpError("http", `${action}: HTTP ${status}`, { code: status, serviceType });
  const response = child(body, `${action}Response`);
  if (response) return response;
  // An action without output arguments may answer with an empty element, which a parser reads as text.
  if (body && text(body, `${action}Response`) !== undefined) return {};
  throw new UpnpError("response", `${action}: the router's answer is not readable`, { serviceType });
}
