/** Runs the steps of rows.ts, from the JSON file whose name is the argument, through our classes; prints results as JSON. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { UPNP } from "../../../sdk/src/gateway/upnp/godot/upnp.ts";
import { IGDStatus, UPNPDevice } from "../../../sdk/src/gateway/upnp/godot/upnp-device.ts";
import { GodotError } from "../../../sdk/src/udp/godot-error.ts";
import { PacketPeerUDP } from "../../../sdk/src/udp/packet-peer-udp.ts";
import { UDPServer } from "../../../sdk/src/udp/udp-server.ts";
import { encodeVariant, GodotFloat, type Variant } from "../../../sdk/src/udp/variant.ts";
import { camelCase, type Step, type Value } from "./rows.ts";

type Named = Record<string, unknown>;
const named = new Map<string, Named | null>();

async function invoke(name: string, method: string, values: readonly Value[] = []): Promise<unknown> {
  const object = named.get(name);
  const call = object?.[camelCase(method)];
  if (typeof call !== "function") throw new Error(`${name} has no ${camelCase(method)}`);
  const args: unknown[] = values.map(given);
  // Godot's have all that a Variant can be.
  if (method === "get_var") args.push({ keepFloats: true });
  return await (call.apply(object, args) as unknown);
}

function given(value: Value): unknown {
  if (typeof value === "string") return value.startsWith("@") ? named.get(value.slice(1)) : value;
  if (value === null || typeof value !== "object") return value;
  if ("float" in value) return new GodotFloat(value.float);
  return "bytes" in value ? Buffer.from(value.bytes, "hex") : value.map(given);
}

function shown(value: unknown): unknown {
  if (value === undefined || value === null) return null;
  if (typeof value === "boolean" || typeof value === "string" || Number.isInteger(value)) return value;
  for (const type of [UPNPDevice, PacketPeerUDP]) if (value instanceof type) return "object";
  return `bytes ${encodeVariant(value as Variant, 3)?.toString("hex")}`;
}

async function run(step: Step): Promise<unknown> {
  switch (step[0]) {
    case "new": {
      const types = {
        UPNP: () => new UPNP(),
        UPNPDevice: () => new UPNPDevice(),
        UDPServer: () => new UDPServer({ variantFormat: 3 }),
        PacketPeerUDP: () => new PacketPeerUDP({ variantFormat: 3 }),
      };
      named.set(step[1], types[step[2]]() as unknown as Named);
      return undefined;
    }
    case "call":
      return shown(await invoke(step[1], step[2], step[3]));
    case "take": {
      const taken = (await invoke(step[2], step[3], step[4])) as Named | null;
      named.set(step[1], taken);
      return shown(taken);
    }
    case "get": {
      const object = named.get(step[1]);
      if (!object || !(camelCase(step[2]) in object)) throw new Error(`${step[1]} has no ${camelCase(step[2])}`);
      return shown(object[camelCase(step[2])]);
    }
    case "set": {
      const object = named.get(step[1]);
      if (!object || !(camelCase(step[2]) in object)) throw new Error(`${step[1]} has no ${camelCase(step[2])}`);
      object[camelCase(step[2])] = given(step[3]);
      return undefined;
    }
    case "until": {
      let result: unknown;
      for (let i = 0; i < 100; i++) {
        if (step[4] !== undefined) await invoke(step[4], "poll");
        result = await invoke(step[1], step[2]);
        if (result === step[3]) break;
        await sleep(5);
      }
      return shown(result);
    }
    case "enum":
      return { UPNPResult: UPNP.UPNPResult, IGDStatus, Error: GodotError }[step[1]];
    default:
      return step satisfies never;
  }
}

const rows = JSON.parse(readFileSync(JSON.parse(process.argv[2] ?? '""') as string, "utf8")) as Step[][];
const results: unknown[][] = [];
for (const steps of rows) {
  const row: unknown[] = [];
  for (const step of steps) {
    const result = await run(step);
    if (result !== undefined) row.push(result);
  }
  results.push(row);
}
for (const object of named.values()) {
  if (object instanceof UDPServer) object.stop();
  else if (object instanceof PacketPeerUDP) object.close();
}
console.log(JSON.stringify(results));
