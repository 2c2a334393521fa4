import { PACKET_PEER_UDP } from "./packet-peer-rows.ts";
import type { Section } from "./rows.ts";
import { UDP_SERVER } from "./udp-server-rows.ts";
import { UPNP, UPNP_DEVICE } from "./upnp-rows.ts";

export const SECTIONS: readonly Section[] = [UPNP, UPNP_DEVICE, UDP_SERVER, PACKET_PEER_UDP];
