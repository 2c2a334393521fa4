export { UPNPResult } from "./godot/result.ts";
export { UPNP } from "./godot/upnp.ts";
export { IGDStatus, UPNPDevice } from "./godot/upnp-device.ts";
