import { expect, test } from "vitest";
import { Lab } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

describeLab("the NAT lab", () => {
  test("a mapping by UPnP", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2 } });
    const host = await gateway.host();
    await gateway.addMapping({ host, protocol: "udp", externalPort: 7777 });
    expect(await gateway.mappings()).toMatchObject([
      { protocol: "udp", externalPort: 7777, internalAddress: host.address },
    ]);
  });
});
