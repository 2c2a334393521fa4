import { Router } from "../gateway/mapper/router.ts";
import { type Command, EXIT_UNAVAILABLE, oneOf, parseOptions, UsageError } from "./command.ts";
import { VIA_WORDS } from "./map.ts";
import { lease, Output } from "./output.ts";
import { Interruption } from "./signals.ts";

export const list: Command = {
  summary: "show the routers that answer, and what they map",
  usage: `sallyport list [options]

  --via HOW               auto, pcp, nat-pmp or upnp (default: auto)
  --json                  JSON lines for programs

Only UPnP tells a router's whole table; of PCP and NAT-PMP the mappings of this computer are shown.`,

  async run(args) {
    const { values, positionals } = parseOptions({
      args: [...args],
      allowPositionals: true,
      options: { via: { type: "string", default: "auto" }, json: { type: "boolean", default: false } },
    });
    if (positionals.length > 0) throw new UsageError("list takes no port");
    const via = oneOf("--via", values.via, VIA_WORDS);
    const output = new Output(values.json);
    using interruption = new Interruption();
    await using router = await Router.find({ via: via === "auto" ? undefined : [via], signal: interruption.signal });
    for (const gateway of router.gateways) {
      output.event("gateway", { ...gateway });
      output.line(
        `${output.style("bold", gateway.name)} at ${gateway.address} by ${gateway.via}, outside ${gateway.externalAddress || "unknown"}`,
      );
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
      const held = entry.heldBy === undefined ? "" : `, held by process ${entry.heldBy}`;
      output.line(
        `  ${entry.transport.toUpperCase()} ${String(entry.externalPort).padStart(5)} to ${who}:${entry.internalPort}  ${lease(entry.expiresAt)}${held}  ${output.style("dim", entry.description)}`,
      );
    }
    output.event("done", { mappings: entries.length });
    if (entries.length === 0) output.line("  nothing is mapped");
    return 0;
  },
};
