export { UPNPResult } from "./result.ts";
export { UPNP } from "./upnp.ts";
export { IGDStatus, UPNPDevice } from "./upnp-device.ts";
