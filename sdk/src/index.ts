/** Sallyport: host a multiplayer game from anywhere. */
export type { Endpoint } from "./udp/endpoint.ts";
