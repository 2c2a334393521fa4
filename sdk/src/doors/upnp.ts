export { UPNPResult } from "../gateway/upnp/result.ts";
export { UPNP } from "../gateway/upnp/upnp.ts";
export { IGDStatus, UPNPDevice } from "../gateway/upnp/upnp-device.ts";
