/**
 * A mapping is ours if the port was free before, the router agreed, and the entry names our port and no other computer, however
 * the router spells it. Each case is a router that somebody reported, or another of its kind.
 */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { removeState } from "../remove-state.ts";
import { entryOf, eventsOf, fastClock, mapperAt, REQUEST, refusal, withMapping } from "./gateway-mapping.ts";
import { type ActionAnswer, Fault, ScriptedGateway, type ScriptedOptions } from "./scripted-gateway.ts";

type Actions = NonNullable<ScriptedOptions["actions"]>;

let state = "";
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "sallyport-ours-"));
});
afterEach(() => removeState(state));

const journal = (): string[] => readdirSync(state).filter((name) => name.startsWith("mappings-"));

describe("a table that cannot be read", () => {
  const refuses = (): Fault => new Fault(401);
  const tables: [string, Actions][] = [
    ["refuses both ways of reading it", { GetSpecificPortMappingEntry: refuses, GetGenericPortMappingEntry: refuses }],
    [
      "names a protocol that is none",
      {
        GetSpecificPortMappingEntry: refuses,
        GetGenericPortMappingEntry: (input, gateway) => {
          const row = gateway.perform("GetGenericPortMappingEntry", input);
          return typeof row === "object" && "NewProtocol" in row ? { ...row, NewProtocol: "TCP/UDP" } : row;
        },
      },
    ],
    ["answers with empty bodies", { GetSpecificPortMappingEntry: () => "", GetGenericPortMappingEntry: () => "" }],
    [
      "answers with a page of its own",
      {
        GetSpecificPortMappingEntry: () => "<html><body>Please log in</body></html>",
        GetGenericPortMappingEntry: () => new Fault(501),
      },
    ],
  ];

  test.each(tables)("%s: mapped without a proof, and it stays so", async (_name, actions) => {
    let looks = 0;
    const counted: Actions = {
      ...actions,
      GetGenericPortMappingEntry: (input, gateway) => {
        looks++;
        return actions["GetGenericPortMappingEntry"]?.(input, gateway);
      },
    };
    const { gateway } = await withMapping(
      { actions: counted },
      async (mapping, _gateway, events) => {
        expect(mapping).toMatchObject({ verified: false, proof: "none", externalPort: 7777 });
        // Three looks that were taken for silence made it a loss.
        const before = looks;
        await expect.poll(() => looks - before >= 6 || events.length > 1).toBe(true);
        expect(events.map(({ event }) => event)).toEqual(["mapped"]);
        expect(mapping.state).toBe("mapped");
      },
      { mapper: { watchIntervalMs: 1000, environment: { clock: fastClock(20) } } },
    );
    expect(gateway.table.size).toBe(0);
  });

  test("the mapping is asked for again at every renewal interval: nothing else brings it back", async () => {
    await withMapping(
      { actions: { GetSpecificPortMappingEntry: refuses, GetGenericPortMappingEntry: refuses } },
      async (_mapping, { table }) => {
        table.clear();
        await expect.poll(() => table.has("UDP 7777")).toBe(true);
      },
      { mapper: { watchIntervalMs: 500, renewIntervalMs: 5000, environment: { clock: fastClock(20) } } },
    );
  });

  test("that it is gone is confirmed by there being nothing more to delete", async () => {
    const { events } = await withMapping(
      { actions: { GetSpecificPortMappingEntry: refuses, GetGenericPortMappingEntry: refuses } },
      () => undefined,
    );
    expect(events.at(-1)).toMatchObject({ event: "unmapped", reason: "it was given back" });
  });
});

/** Shows each entry as `spell` has it. */
function spelling(spell: (answer: Record<string, string | number>) => Record<string, string | number>): Actions {
  const shown =
    (action: string) =>
    (input: Readonly<Record<string, string>>, gateway: ScriptedGateway): ActionAnswer => {
      const answer = gateway.perform(action, input);
      return typeof answer === "object" && !(answer instanceof Fault) ? spell(answer) : answer;
    };
  return {
    GetSpecificPortMappingEntry: shown("GetSpecificPortMappingEntry"),
    GetGenericPortMappingEntry: shown("GetGenericPortMappingEntry"),
  };
}

describe("a table that spells an entry otherwise", () => {
  const descriptions: [string, string][] = [
    ["renames it", "UPnP"],
    ["writes it in lower case", "my arena-game"],
    ["replaces blanks", "My_Arena_Game"],
    ["puts a number before it", "3: (udp) 7777"],
    ["cuts it short", "My A"],
    ["forgets it", ""],
  ];
  test.each(descriptions)("%s", async (_name, description) => {
    const { gateway, events } = await withMapping(
      { actions: spelling((answer) => ({ ...answer, NewPortMappingDescription: description })) },
      (mapping) => expect(mapping).toMatchObject({ externalPort: 7777, proof: "router" }),
      { mapper: { journal: state } },
    );
    expect(gateway.table.size).toBe(0);
    expect(events.at(-1)?.reason).toBe("it was given back");
    expect(journal()).toEqual([]);
  });

  const clients: [string, string, "router" | "none"][] = [
    ["a name of its own for this computer", "arena-pc-in-the-attic", "none"],
    ["nothing", "", "none"],
    ["a hardware address", "aa:bb:cc:00:11:22", "none"],
    ["no address", "0.0.0.0", "none"],
    ["this computer's name", hostname(), "router"],
    ["this computer's name in capitals, with a domain", `${hostname().toUpperCase()}.fritz.box`, "router"],
    ["an address with zeros in front", "127.000.000.001", "router"],
    ["an address as IPv6 writes it", "::ffff:127.0.0.1", "router"],
    ["an address with its prefix length", "127.0.0.1/32", "router"],
    ["an address between blanks", " 127.0.0.1 ", "router"],
  ];
  test.each(clients)("the client is %s", async (_name, client, proof) => {
    const { gateway, events } = await withMapping(
      { actions: spelling((answer) => ({ ...answer, NewInternalClient: client })) },
      (mapping) => expect(mapping).toMatchObject({ externalPort: 7777, proof }),
      { mapper: { journal: state } },
    );
    expect(gateway.table.size).toBe(0);
    expect(events.at(-1)?.reason).toBe("it was given back");
    expect(journal()).toEqual([]);
  });

  test("the client is another address of this computer", async () => {
    await using gateway = await ScriptedGateway.start({
      actions: spelling((answer) => ({ ...answer, NewInternalClient: "127.0.0.1" })),
    });
    const interfaces = gateway.interfaces.map((each) => ({ ...each, address: "127.0.0.5" }));
    await using mapper = mapperAt(gateway, { interfaces });
    expect(await mapper.map(REQUEST)).toMatchObject({ externalPort: 7777, proof: "router" });
    await mapper.close();
    expect(gateway.table.size).toBe(0);
  });

  test("names of elements in another case", async () => {
    await withMapping(
      {
        actions: spelling((answer) =>
          Object.fromEntries(Object.entries(answer).map(([name, value]) => [name.toLowerCase(), value])),
        ),
      },
      (mapping) => expect(mapping).toMatchObject({ externalPort: 7777, proof: "router" }),
    );
  });

  test("it does so later: nothing is lost for it", async () => {
    let description: string | undefined;
    const actions = spelling((answer) =>
      description === undefined ? answer : { ...answer, NewPortMappingDescription: description },
    );
    const { gateway } = await withMapping(
      { actions },
      async (mapping, scripted, events) => {
        description = "Renamed by hand";
        const before = scripted.count("GetSpecificPortMappingEntry");
        await expect.poll(() => scripted.count("GetSpecificPortMappingEntry") - before).toBeGreaterThanOrEqual(3);
        expect(events.map(({ event }) => event)).toEqual(["mapped"]);
        expect(mapping.state).toBe("mapped");
      },
      { mapper: { watchIntervalMs: 500, environment: { clock: fastClock(20) } } },
    );
    expect(gateway.table.size).toBe(0);
  });

  test("what a crash left under another name is removed at the next start, and nobody else's entry", async () => {
    await using gateway = await ScriptedGateway.start();
    gateway.table.set("UDP 7777", entryOf({ client: "127.0.0.1", description: "UPnP" }));
    gateway.table.set("UDP 8888", entryOf({ client: "127.0.0.1", internalPort: 8888, description: "somebody's" }));
    const left = (externalPort: number, description: string): object => ({
      via: "upnp",
      gateway: gateway.address,
      localAddress: "127.0.0.1",
      transport: "udp",
      internalPort: externalPort,
      externalPort,
      description: "My Arena-Game",
      shownAs: { client: "127.0.0.1", description },
      expiresAt: 0,
      writtenAt: Date.now(),
    });
    const owner = { pid: 1, start: "00000000-3" };
    const entries = [left(7777, "UPnP"), left(8888, "UPnP")];
    writeFileSync(join(state, "mappings-1-00000000-3.0.json"), JSON.stringify({ owner, entries }));
    await using mapper = mapperAt(gateway, { journal: state });
    await mapper.map({ ...REQUEST, internalPort: 9999 });
    expect([...gateway.table.keys()].sort()).toEqual(["UDP 8888", "UDP 9999"]);
  });
});

describe("a table that lags", () => {
  /** Shows entries `ms` after they were added, and until `ms` after they were deleted. */
  function lagging(ms: number): { actions: Actions; shown: (gateway: ScriptedGateway) => Map<string, number> } {
    const addedAt = new Map<string, number>();
    const deletedAt = new Map<string, number>();
    const rows = new Map<string, ActionAnswer>();
    const keyOf = (input: Readonly<Record<string, string>>): string =>
      `${input["NewProtocol"]} ${input["NewExternalPort"]}`;
    return {
      shown: () => addedAt,
      actions: {
        AddPortMapping: (input) => {
          addedAt.set(keyOf(input), performance.now());
          return undefined;
        },
        DeletePortMapping: (input) => {
          deletedAt.set(keyOf(input), performance.now());
          return undefined;
        },
        GetSpecificPortMappingEntry: (input, gateway) => {
          const key = keyOf(input);
          const row = gateway.perform("GetSpecificPortMappingEntry", input);
          if (!(row instanceof Fault)) rows.set(key, row);
          const isGone = row instanceof Fault;
          const at = (isGone ? deletedAt : addedAt).get(key) ?? Number.NEGATIVE_INFINITY;
          const isLate = performance.now() - at < ms;
          if (!isLate) return row;
          return isGone ? rows.get(key) : new Fault(714);
        },
        GetGenericPortMappingEntry: () => new Fault(713),
      },
    };
  }

  test.each([150, 1000])("%i ms: mapped and confirmed, given back and confirmed", async (ms) => {
    const { gateway, events } = await withMapping(
      { actions: lagging(ms).actions },
      (mapping) => expect(mapping).toMatchObject({ externalPort: 7777, proof: "router" }),
      { mapper: { journal: state } },
    );
    expect(gateway.table.size).toBe(0);
    expect(gateway.count("AddPortMapping")).toBe(1);
    expect(events.at(-1)?.reason).toBe("it was given back");
    expect(journal()).toEqual([]);
  });

  test("given back before its entry was shown: it is deleted nevertheless", async () => {
    await using gateway = await ScriptedGateway.start({ actions: lagging(1000).actions });
    const controller = new AbortController();
    await using mapper = mapperAt(gateway);
    const mapped = mapper.map(REQUEST, { signal: controller.signal });
    await expect.poll(() => gateway.table.size).toBe(1);
    controller.abort();
    await expect(mapped).rejects.toMatchObject({ kind: "aborted" });
    expect(gateway.table.size).toBe(0);
  });

  test("a router that denies an entry when it is asked for the port, and shows it in the whole table", async () => {
    await withMapping({ actions: { GetSpecificPortMappingEntry: () => new Fault(714) } }, (mapping) =>
      expect(mapping).toMatchObject({ externalPort: 7777, proof: "router" }),
    );
  });
});

describe("a success that is told oddly", () => {
  test.each<[string, ActionAnswer]>([
    ["no body", ""],
    ["a page", "<html><body>OK</body></html>"],
    [
      "an envelope with nothing in it",
      '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body/></s:Envelope>',
    ],
    [
      "the name of the action itself",
      '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><u:AddPortMapping xmlns:u="x"/></s:Body></s:Envelope>',
    ],
  ])("%s", async (_name, body) => {
    const { gateway } = await withMapping(
      {
        actions: {
          AddPortMapping: (input, scripted) => {
            scripted.perform("AddPortMapping", input);
            return body;
          },
          DeletePortMapping: (input, scripted) => {
            scripted.perform("DeletePortMapping", input);
            return body;
          },
        },
      },
      (mapping) => expect(mapping).toMatchObject({ externalPort: 7777, proof: "router" }),
    );
    expect(gateway.table.size).toBe(0);
  });
});

describe("what cannot be confirmed", () => {
  test("a table that never shows it: named, deleted at every port that was tried, and not tried for ever", async () => {
    // As a router does whose 32 entries are taken.
    const { error, gateway } = await refusal(
      { actions: { AddPortMapping: () => ({}) } },
      { mapper: { journal: state, environment: { clock: fastClock(20) } } },
    );
    expect(error.kind).toBe("conflict");
    expect(error.message).toMatch(/its table does not have it.*may be full.*remove old entries/);
    const asked = gateway.calls.filter(({ action }) => action === "AddPortMapping");
    const deleted = new Set(
      gateway.calls.filter(({ action }) => action === "DeletePortMapping").map(({ input }) => input["NewExternalPort"]),
    );
    expect(asked.length).toBe(3);
    expect(deleted.size).toBe(3);
    expect(journal()).toEqual([]);
  });

  test("a deletion that fails: it stays in the journal", async () => {
    await refusal(
      {
        actions: {
          AddPortMapping: (input, { table }) => {
            table.set(`UDP ${input["NewExternalPort"]}`, entryOf({ client: "127.0.0.1", enabled: false }));
            return {};
          },
          DeletePortMapping: () => new Fault(501),
        },
      },
      { mapper: { journal: state, environment: { clock: fastClock(20) } } },
    );
    const [file = ""] = journal();
    const { entries } = JSON.parse(readFileSync(join(state, file), "utf8")) as { entries: { externalPort: number }[] };
    expect(entries.map(({ externalPort }) => externalPort)).toContain(7777);
  });

  test("a router that is full has room for us when what a crash left is gone", async () => {
    await using gateway = await ScriptedGateway.start({
      // It says yes to everything, and has place for one.
      actions: { AddPortMapping: (_input, { table }) => (table.size >= 1 ? {} : undefined) },
    });
    gateway.table.set("UDP 7000", entryOf({ client: "127.0.0.1", internalPort: 7000, description: "My Arena-Game" }));
    await using mapper = mapperAt(gateway, { journal: state, environment: { clock: fastClock(10) } });
    const events = eventsOf(mapper);
    const full = mapper.map(REQUEST).catch((error: unknown) => error);
    // Another start crashes meanwhile: what it left is on record now.
    await expect.poll(() => gateway.count("AddPortMapping")).toBe(1);
    const entry = { via: "upnp", gateway: gateway.address, localAddress: "127.0.0.1", transport: "udp" };
    const ports = { internalPort: 7000, externalPort: 7000, description: "My Arena-Game" };
    writeFileSync(
      join(state, "mappings-1-00000000-3.0.json"),
      JSON.stringify({ entries: [{ ...entry, ...ports, expiresAt: 0, writtenAt: Date.now() }] }),
    );
    await full;
    await expect.poll(() => events.map(({ event }) => event)).toContain("mapped");
    expect([...gateway.table.keys()]).toEqual(["UDP 7777"]);
  });
});
