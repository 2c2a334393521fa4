/** Who answers without state: STUN's responder, and hosts on the local network. */

import { encodeLookup, encodeQuery, MAX_ENDPOINT_BYTES, MAX_NAME_BYTES } from "../../../sdk/src/lan/packet.ts";
import { LanResponder } from "../../../sdk/src/lan/responder.ts";
import type { Endpoint } from "../../../sdk/src/net/endpoint.ts";
import { StunBuilder } from "../../../sdk/src/stun/builder.ts";
import { StunAttribute, StunMethod } from "../../../sdk/src/stun/constants.ts";
import { respondToStun, type StunLocal } from "../../../sdk/src/stun/responder.ts";
import { World as TurnWorld } from "../../unit/turn/server/harness.ts";
import type { Row } from "./row.ts";

const ADDRESSES = {
  4: ["192.0.2.1", "192.0.2.2", "198.51.100.7"],
  6: ["2001:db8::1", "2001:db8::2", "2001:db8:7::7"],
} as const;

/** The worst of an empty request, one with a fingerprint, and such as cannot be answered. */
function stun(family: 4 | 6, addresses: 1 | 2): Row {
  const [origin, other, source] = ADDRESSES[family].map((address, n): Endpoint => ({ address, port: 3478 + n }));
  if (!origin || !other || !source) throw new Error("three addresses are needed");
  const local: StunLocal = addresses === 1 ? { origin } : { origin, other };
  const request = (): StunBuilder => new StunBuilder(StunMethod.BINDING, "request");
  const unknown = (count: number): StunBuilder => {
    const builder = request();
    for (let n = 0; n < count; n++) builder.flag(0x7000 + n);
    return builder;
  };
  const requests = [request(), request().fingerprint(), unknown(1), unknown(2), unknown(60)];
  const answers = requests.map((each) => {
    const data = each.build();
    return { said: data.length, got: respondToStun(data, source, local)?.data.length ?? 0 };
  });
  const worst = answers.reduce((a, b) => (b.got / b.said > a.got / a.said ? b : a));
  return {
    what: `STUN Binding to a lobby over IPv${family}${addresses === 2 ? ", two addresses (RFC 5780)" : ""}`,
    ...worst,
    held: "1024 answers and 128/s to one /24 or /48",
  };
}

/** The worst of what asks without credentials for a relay. */
function turn(): Row {
  const request = (): StunBuilder => new StunBuilder(StunMethod.ALLOCATE, "request");
  const transport = (): StunBuilder => request().add(StunAttribute.REQUESTED_TRANSPORT, Uint8Array.of(17, 0, 0, 0));
  const requests = [request(), transport(), transport().fingerprint(), transport().integrity(new Uint8Array(16))];
  const answers = requests.map((each) => {
    const client = new TurnWorld().client();
    client.raw(each.build());
    return { said: client.sentBytes, got: client.heardBytes };
  });
  const worst = answers.reduce((a, b) => (b.got / b.said > a.got / a.said ? b : a));
  return {
    what: "request to a lobby's TURN without credentials",
    ...worst,
    held: "1024 answers and 128/s to one /24 or /48",
  };
}

function lan(): Row[] {
  const details = {
    application: "a",
    name: "x".repeat(MAX_NAME_BYTES),
    port: 7777,
    players: 2,
    maxPlayers: 16,
    version: "1".repeat(32),
  };
  const responder = (): LanResponder =>
    new LanResponder({ id: "0123456789abcdef", details, random: () => 0, isKnownAs: () => true }, 0);
  const ask = (packet: Uint8Array): Pick<Row, "said" | "got"> => ({
    said: packet.length,
    got: responder().handlePacket(packet, "192.168.1.200", 0)?.length ?? 0,
  });
  const held = "4 answers and 1/s to one address, 40 and 20/s to all";
  return [
    { what: "query on the local network", ...ask(encodeQuery("a")), held },
    { what: "look-up on the local network", ...ask(encodeLookup("x".repeat(MAX_ENDPOINT_BYTES))), held },
  ];
}

export const responderRows = (): Row[] => [stun(4, 1), stun(6, 1), stun(4, 2), stun(6, 2), turn(), ...lan()];
