import { parseDescription } from "./service/description.ts";
import { HttpReader } from "./service/http-reader.ts";
import { decodeAction, encodeAction } from "./service/soap.ts";

const SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1";
const ROOT = new URL("http://192.0.2.1/");
const DESCRIPTION =
  '<?xml version="1.0"?><root><device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>' +
  `<serviceList><service><serviceType>${SERVICE}</serviceType><controlURL>/c</controlURL></service></serviceList></device></root>`;

/**
 * Reads one answer of each kind, so that the engine has compiled the readers before the router answers: a first reading takes 4 ms,
 * the second a tenth of it. Called while routers delay their answers to the search.
 */
export function warmUp(): void {
  const body = encodeAction(SERVICE, "AddPortMappingResponse", []);
  const reader = new HttpReader();
  reader.push(Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`));
  decodeAction(SERVICE, "AddPortMapping", 200, reader.response?.body ?? Buffer.from(body));
  parseDescription(Buffer.from(DESCRIPTION), ROOT, ROOT.hostname);
}
