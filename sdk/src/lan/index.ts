/** Games on the local network, without lobby or internet. */
export { LanAnnouncer, type LanAnnouncerDetails, type LanAnnouncerOptions } from "./announcer.ts";
export { type DiscoverLanOptions, discoverLan, lanGames, lanUrls } from "./discover.ts";
export type { LanGame } from "./listener.ts";
export { type LocateLanOptions, locateLan } from "./locate.ts";
export type { LanNetwork, LanNetworkState, LanRemote } from "./network.ts";
export { DEFAULT_APPLICATION, LAN_GROUP_4, LAN_GROUP_6, LAN_PORT, type LanDetails } from "./packet.ts";
