import { Router } from "../gateway/mapper/router.ts";
import type { GatewayInfo } from "../gateway/types.ts";
import { type Command, EXIT_UNAVAILABLE, ipAddress, oneOf, parseOptions, UsageError } from "./command.ts";
import { VIA_WORDS } from "./map.ts";
import { lease, Output } from "./output.ts";
import { Interruption } from "./signals.ts";

export const list: Command = {
  summary: "show the routers that answer, and what they map",
  usage: `sallyport list [options]

  --via HOW               auto, pcp, nat-pmp or upnp (default: auto)
  --gateway ADDRESS       the router's address on this network, where several answer (default: the default gateway)
  --json                  JSON lines for programs

Only UPnP tells a router's whole table; of PCP and NAT-PMP the mappings of this computer are shown.`,

  async run(args) {
    const { values, positionals } = parseOptions({
      args: [...args],
      allowPositionals: true,
      options: {
        via: { type: "string", default: "auto" },
        gateway: { type: "string" },
        json: { type: "boolean", default: false },
      },
    });
    if (positionals.length > 0) throw new UsageError("list takes no port");
    const via = oneOf("--via", values.via, VIA_WORDS);
    const gateway = ipAddress("--gateway", values.gateway);
    const output = new Output(values.json);
    using interruption = new Interruption();
    await using router = await Router.find({
      via: via === "auto" ? undefined : [via],
      gateway,
      signal: interruption.signal,
    });
    for (const info of router.gateways) output.event("gateway", { ...info });
    for (const [address, infos] of byAddress(router.gateways)) {
      const name = infos.find(({ via: each }) => each === "upnp")?.name ?? infos[0]?.name ?? "";
      const protocols = infos.map(({ via: each }) => each).join(", ");
      const outside = infos.find(({ externalAddress }) => externalAddress !== "")?.externalAddress ?? "unknown";
      output.line(`${output.style("bold", name)} at ${address} by ${protocols}, outside ${outside}`);
    }
    if (router.gateways.length === 0) {
      output.event("failed", { kind: "no-gateway", reason: router.reason });
      output.line(`${output.style("red", "No router answered:")} ${router.reason}`);
      return EXIT_UNAVAILABLE;
    }
    const entries = await router.entries();
    for (const entry of entries) {
      output.event("mapping", { ...entry });
      const who = entry.isOurs ? output.style("green", "this computer") : entry.internalAddress;
      const held =
        entry.heldBy !== undefined
          ? `, held by process ${entry.heldBy}`
          : entry.isOurs && !entry.isMadeHere
            ? ", made by another program"
            : "";
      output.line(
        `  ${entry.transport.toUpperCase()} ${String(entry.externalPort).padStart(5)} to ${who}:${entry.internalPort}  ${lease(entry.expiresAt)}${held}  ${output.style("dim", entry.description)}`,
      );
    }
    output.event("done", { mappings: entries.length });
    if (entries.length === 0) output.line("  nothing is mapped");
    return 0;
  },
};

/** Each router once, with what it answered by. */
function byAddress(gateways: readonly GatewayInfo[]): Map<string, GatewayInfo[]> {
  const routers = new Map<string, GatewayInfo[]>();
  for (const info of gateways) routers.set(info.address, [...(routers.get(info.address) ?? []), info]);
  return routers;
}
