/**
 * Godot's UPNP: UPnP port mapping alone, with Godot's names and results.
 *
 * @module sallyport/upnp
 */

export { UPNPResult } from "../gateway/upnp/godot/result.ts";
export { UPNP } from "../gateway/upnp/godot/upnp.ts";
export { IGDStatus, UPNPDevice } from "../gateway/upnp/godot/upnp-device.ts";
