/** Finds the gateway over IPv6 with UPNP, and says what was found. */
import { UPNP } from "../../../sdk/src/gateway/upnp/godot/upnp.ts";

const upnp = new UPNP();
upnp.discoverIpv6 = true;
const result = await upnp.discover();
const gateway = upnp.getGateway();
console.log(
  JSON.stringify({
    result,
    gateway: gateway !== null,
    controlUrl: gateway?.igdControlUrl,
    externalAddress: await upnp.queryExternalAddress(),
    devices: upnp.getDeviceCount(),
  }),
);
