/** What tests of the port mapper at a scripted gateway share. */

import { expect } from "vitest";
import { PortMapper } from "../../sdk/src/gateway/mapper/port-mapper.ts";
import { type MappingEvent, type MapRequest, PortMapError, type PortMapping } from "../../sdk/src/gateway/types.ts";
import { type Clock, systemClock } from "../../sdk/src/net/clock.ts";
import { type Entry, ScriptedGateway, type ScriptedOptions } from "./scripted-gateway.ts";

export const REQUEST: MapRequest = { internalPort: 7777, protocol: "udp", description: "My Arena-Game" };
const EVENTS = ["mapped", "renewed", "changed", "lost", "unmapped"] as const;

type MapperOptions = ConstructorParameters<typeof PortMapper>[0];

/** A mapper that asks one gateway by UPnP alone, unless `options` say otherwise. */
export function mapperAt(gateway: ScriptedGateway, options: MapperOptions = {}): PortMapper {
  return new PortMapper({
    via: ["upnp"],
    interfaces: gateway.interfaces,
    journal: false,
    ...options,
    environment: { ports: gateway.ports, machine: "test", ...options.environment },
  });
}

/** Time that runs `factor` times as fast. */
export function fastClock(factor: number): Clock {
  const began = { now: systemClock.now(), unixNow: systemClock.unixNow() };
  return {
    now: () => began.now + (systemClock.now() - began.now) * factor,
    unixNow: () => began.unixNow + (systemClock.unixNow() - began.unixNow) * factor,
    after: (ms, callback) => systemClock.after(ms / factor, callback),
  };
}

/** Everything that is told of a mapper's mappings. */
export function eventsOf(mapper: PortMapper): MappingEvent[] {
  const events: MappingEvent[] = [];
  for (const name of EVENTS) mapper.on(name, (event) => events.push(event));
  return events;
}

/** Maps at a scripted gateway, lets `look` see it, and closes. The gateway is closed too. */
export async function withMapping(
  options: ScriptedOptions,
  look: (mapping: PortMapping, gateway: ScriptedGateway, events: readonly MappingEvent[]) => void | Promise<void>,
  { request = REQUEST, mapper: mapperOptions = {} }: { request?: MapRequest; mapper?: MapperOptions } = {},
): Promise<{ gateway: ScriptedGateway; events: readonly MappingEvent[] }> {
  await using gateway = await ScriptedGateway.start(options);
  await using mapper = mapperAt(gateway, mapperOptions);
  const events = eventsOf(mapper);
  await look(await mapper.map(request), gateway, events);
  await mapper.close();
  return { gateway, events };
}

/** Why nothing is mapped. */
export async function refusal(
  options: ScriptedOptions,
  { request = REQUEST, mapper: mapperOptions = {} }: { request?: MapRequest; mapper?: MapperOptions } = {},
): Promise<{ error: PortMapError; gateway: ScriptedGateway }> {
  await using gateway = await ScriptedGateway.start(options);
  await using mapper = mapperAt(gateway, mapperOptions);
  const error: unknown = await mapper.map(request).then(
    () => expect.fail("it was mapped"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PortMapError);
  await mapper.close();
  return { error: error as PortMapError, gateway };
}

export const entryOf = (more: Partial<Entry> = {}): Entry => ({
  client: "127.0.0.9",
  internalPort: 7777,
  description: "Other",
  lease: 0,
  enabled: true,
  ...more,
});
