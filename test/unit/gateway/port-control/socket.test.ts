import { expect, test } from "vitest";
import { NAT_PMP_RETRANSMIT } from "../../../../sdk/src/gateway/port-control/retransmit.ts";
import { NoAnswer, PortControlSocket } from "../../../../sdk/src/gateway/port-control/socket.ts";
import { systemClock } from "../../../../sdk/src/net/clock.ts";

test.each([
  ["no way leads to the gateway", "127.0.0.1", "203.0.113.1"],
  ["the address is not ours (any more)", "203.0.113.2", "203.0.113.1"],
])("when %s, the gateway refuses", async (_what, localAddress, gateway) => {
  using socket = new PortControlSocket({
    localAddress,
    gateway,
    port: 5351,
    clock: systemClock,
    random: () => 0.5,
  });
  const asked = socket.request(new Uint8Array(2), () => undefined, NAT_PMP_RETRANSMIT);
  await expect(asked).rejects.toBeInstanceOf(NoAnswer);
  await expect(asked).rejects.toMatchObject({ refused: true });
});
