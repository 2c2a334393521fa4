export { type Endpoint, formatEndpoint, normalizeAddress } from "./udp/endpoint.ts";
export { UDPSocketError } from "./udp/errors.ts";
export {
  type DatagramHandler,
  type DatagramTap,
  UDPSocket,
  type UDPSocketCounters,
  type UDPSocketOptions,
} from "./udp/udp-socket.ts";
