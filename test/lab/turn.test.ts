import { expect, test } from "vitest";

import { mintTurnCredentials } from "../../sdk/src/turn/credentials.ts";
import { Lab } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const RELAY = new URL("./modules/turn-relay.ts", import.meta.url);

interface Seen {
  transport?: string;
  relayed?: { address: string };
  mapped?: { address: string };
  failure?: string;
  message?: string;
}

describeLab("TURN", () => {
  test("a host behind a symmetric NAT relays over UDP, one behind a gateway that blocks UDP over TCP", async () => {
    await using lab = await Lab.create();
    const secret = "north";
    const [coturn, symmetric, blocked] = await Promise.all([
      lab.coturn({ secret }),
      lab.gateway({ nat: "symmetric" }),
      lab.gateway({ blockUdp: true }),
    ]);
    const [host, shut] = await Promise.all([symmetric.host(), blocked.host()]);
    const credentials = mintTurnCredentials(secret, { label: "lab", ttlSeconds: 60 });
    const udp = `turn:${coturn.address}`;
    const args = { urls: [udp, `${udp}?transport=tcp`], ...credentials, count: 100 };

    const open = await host.run<Seen>(RELAY, args);
    expect(open).toMatchObject({ transport: "udp", count: 100 });
    // coturn takes relayed addresses from both of its own.
    expect(coturn.addresses).toContain(open.relayed?.address);
    expect(open.mapped?.address).toBe(symmetric.wanAddress);

    const around = await shut.run<Seen>(RELAY, args);
    expect(around).toMatchObject({ transport: "tcp", count: 100 });
    expect(coturn.addresses).toContain(around.relayed?.address);
    expect(around.mapped?.address).toBe(blocked.wanAddress);

    const none = await shut.run<Seen>(RELAY, { ...args, urls: [udp] });
    expect([none.failure, none.message]).toEqual(["timeout", expect.stringContaining("the network blocks it")]);
  });
});
