import { describe, expect, test } from "vitest";
import {
  discoverBehaviour,
  mappingFromBindings,
  type NatAnswer,
  type NatAsk,
  type NatDependence,
} from "../../../sdk/src/nat/behaviour.ts";
import { natBehaviour } from "../../../sdk/src/nat/behaviour-discovery.ts";
import type { Endpoint } from "../../../sdk/src/net/endpoint.ts";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { stunBinding } from "../../../sdk/src/stun/client.ts";
import { StunError } from "../../../sdk/src/stun/errors.ts";
import { StunServer } from "../../../sdk/src/stun/server.ts";

const server = { address: "192.0.2.1", port: 3478 };
const other = { address: "192.0.2.2", port: 3479 };
const DEPENDENCES = ["endpoint-independent", "address-dependent", "address-and-port-dependent"] as const;

/** The part of an endpoint that a NAT's table looks at. */
function keyOf(to: Endpoint, dependence: NatDependence): string {
  if (dependence === "endpoint-independent") return "";
  return dependence === "address-dependent" ? to.address : `${to.address} ${to.port}`;
}

/** A NAT before one socket, and a STUN server with two addresses behind it. */
function socketBehind(mapping: NatDependence, filtering: NatDependence, firstPort: number, alternate = true): NatAsk {
  const mappings = new Map<string, number>();
  const filters = new Set<string>();
  return (to, { change = 0, answersFrom = to } = {}): Promise<NatAnswer> => {
    const key = keyOf(to, mapping);
    mappings.set(key, mappings.get(key) ?? firstPort + mappings.size);
    filters.add(keyOf(to, filtering));
    const from = { address: change & 4 ? other.address : to.address, port: change & 2 ? other.port : to.port };
    expect(answersFrom).toEqual(from);
    if (!filters.has(keyOf(from, filtering))) {
      return Promise.resolve({ error: new StunError("timeout", "") });
    }
    const answer: NatAnswer = { mapped: { address: "203.0.113.5", port: mappings.get(key) ?? 0 } };
    if (alternate) answer.other = other;
    return Promise.resolve(answer);
  };
}

describe("discoverBehaviour", () => {
  const rest = { hairpin: () => Promise.resolve(true), isLocal: () => false, localPort: 40_000 };

  test.each(DEPENDENCES.flatMap((mapping) => DEPENDENCES.map((filtering) => [mapping, filtering] as const)))(
    "mapping %s, filtering %s",
    async (mapping, filtering) => {
      const behaviour = await discoverBehaviour(server, {
        askFromGame: socketBehind(mapping, filtering, 40_000),
        askFromFresh: socketBehind(mapping, filtering, 50_000),
        ...rest,
      });
      expect(behaviour).toEqual({
        mapping,
        filtering,
        hairpinning: true,
        portPreservation: true,
        mapped: { address: "203.0.113.5", port: 40_000 },
      });
    },
  );

  test("no NAT: no mapping, no hairpin, and the firewall's filter", async () => {
    const behaviour = await discoverBehaviour(server, {
      askFromGame: socketBehind("endpoint-independent", "address-dependent", 40_000),
      askFromFresh: socketBehind("endpoint-independent", "address-dependent", 50_000),
      ...rest,
      isLocal: ({ port }) => port === 40_000,
    });
    expect(behaviour).toMatchObject({
      mapping: "none",
      filtering: "address-dependent",
      hairpinning: null,
      portPreservation: null,
    });
  });

  test("a server with one address tells the public address and no behaviour", async () => {
    const behaviour = await discoverBehaviour(server, {
      askFromGame: socketBehind("endpoint-independent", "endpoint-independent", 41_000, false),
      askFromFresh: socketBehind("endpoint-independent", "endpoint-independent", 50_000, false),
      ...rest,
    });
    expect(behaviour).toMatchObject({ mapping: "unknown", filtering: "unknown", portPreservation: false });
    expect(behaviour.mapped?.port).toBe(41_000);
  });

  test.each([server, { address: other.address, port: server.port }, { address: server.address, port: other.port }])(
    "a server that gives %j for its other address proves nothing",
    async (alternate) => {
      const ask: NatAsk = () => Promise.resolve({ mapped: { address: "203.0.113.5", port: 1 }, other: alternate });
      const behaviour = await discoverBehaviour(server, { askFromGame: ask, askFromFresh: ask, ...rest });
      expect([behaviour.mapping, behaviour.filtering]).toEqual(["unknown", "unknown"]);
    },
  );

  test("silence, and refusals of the changes", async () => {
    const silent: NatAsk = () => Promise.resolve({ error: new StunError("timeout", "") });
    const nothing = await discoverBehaviour(server, { askFromGame: silent, askFromFresh: silent, ...rest });
    expect(nothing).toMatchObject({
      mapping: "unknown",
      filtering: "unknown",
      mapped: null,
      error: { failure: "timeout" },
    });
    const works = socketBehind("endpoint-independent", "endpoint-independent", 1);
    const refuses: NatAsk = (to, probe) =>
      probe?.change === undefined ? works(to, probe) : Promise.resolve({ error: new StunError("refused", "") });
    const refused = await discoverBehaviour(server, { askFromGame: works, askFromFresh: refuses, ...rest });
    expect([refused.mapping, refused.filtering]).toEqual(["endpoint-independent", "unknown"]);
  });
});

describe("mappingFromBindings", () => {
  const at = (address: string, port: number): Endpoint => ({ address, port });
  const never = (): boolean => false;

  test("the same public address towards two servers is endpoint-independent, another is not", () => {
    const a = { address: at("192.0.2.1", 1), mapped: at("203.0.113.5", 7) };
    const b = { address: at("192.0.2.2", 1), mapped: at("203.0.113.5", 7) };
    const c = { address: at("192.0.2.3", 1), mapped: at("203.0.113.5", 8) };
    const six = { address: at("2001:db8::1", 1), mapped: at("2001:db8::5", 9) };
    expect(mappingFromBindings([a, b, six, {}], never)).toBe("endpoint-independent");
    expect(mappingFromBindings([a, b, c], never)).toBe("address-and-port-dependent");
    expect(mappingFromBindings([a, { ...a, address: at("192.0.2.1", 2) }], never)).toBe("unknown");
    expect(mappingFromBindings([], never)).toBe("unknown");
    expect(mappingFromBindings([a], ({ port }) => port === 7)).toBe("none");
  });
});

describe("on loopback", () => {
  test("there is no NAT and no filter, and the game goes on", async () => {
    await using stun = StunServer.open({ port: 0, addresses: ["127.0.0.1", "127.0.0.2"] });
    await using game = UDPSocket.open();
    const strays: string[] = [];
    const heard = new Promise<void>((resolve) => {
      game.onDatagram = (data) => {
        strays.push(data.toString());
        resolve();
      };
    });
    const discovering = natBehaviour(game, `127.0.0.1:${stun.port}`);
    game.send(Buffer.from("game"), game.localPort, "127.0.0.1");
    expect(await discovering).toEqual({
      mapping: "none",
      filtering: "endpoint-independent",
      hairpinning: null,
      portPreservation: null,
      mapped: { address: "127.0.0.1", port: game.localPort },
    });
    await heard;
    expect(strays).toEqual(["game"]);
    const [outcome] = await stunBinding(game, [`127.0.0.1:${stun.port}`]);
    expect(outcome?.mapped?.port).toBe(game.localPort);
  });

  test("a name that is none, silence and giving up are told", async () => {
    await using silent = UDPSocket.open({ address: "127.0.0.1" });
    await using game = UDPSocket.open({ address: "127.0.0.1" });
    const name = `127.0.0.1:${silent.localPort}`;
    expect((await natBehaviour(game, "turn:x")).error?.failure).toBe("invalid-server");
    expect((await natBehaviour(game, name, { timeoutMs: 50 })).error?.failure).toBe("timeout");
    expect((await natBehaviour(game, name, { signal: AbortSignal.abort() })).error?.failure).toBe("aborted");
  });
});
