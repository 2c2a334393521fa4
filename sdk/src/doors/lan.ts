/**
 * Games on the local network, without lobby or internet.
 *
 * @module sallyport/lan
 */

export { LanAnnouncer, type LanAnnouncerDetails, type LanAnnouncerOptions } from "../lan/announcer.ts";
export { type DiscoverLanOptions, discoverLan, lanGames, lanUrls } from "../lan/discover.ts";
export type { LanGame } from "../lan/listener.ts";
export { type LocateLanOptions, locateLan } from "../lan/locate.ts";
export type { LanNetwork, LanNetworkState, LanRemote } from "../lan/network.ts";
export { DEFAULT_APPLICATION, LAN_GROUP_4, LAN_GROUP_6, LAN_PORT, type LanDetails } from "../lan/packet.ts";
