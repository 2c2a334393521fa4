import { Router, type RouterEntry } from "../gateway/mapper/router.ts";
import { type Command, EXIT_UNAVAILABLE, ipAddress, oneOf, onlyPort, parseOptions } from "./command.ts";
import { VIA_WORDS } from "./map.ts";
import { Output } from "./output.ts";
import { Interruption } from "./signals.ts";

export const unmap: Command = {
  summary: "remove a mapping of this computer from the router",
  usage: `sallyport unmap PORT [options]

  PORT                    the external port, 1-65535
  --protocol WHICH        udp, tcp or both (default: both)
  --via HOW               auto, pcp, nat-pmp or upnp (default: auto)
  --gateway ADDRESS       the router's address on this network, where several answer (default: the default gateway)
  --json                  JSON lines for programs`,

  async run(args) {
    const { values, positionals } = parseOptions({
      args: [...args],
      allowPositionals: true,
      options: {
        protocol: { type: "string", default: "both" },
        via: { type: "string", default: "auto" },
        gateway: { type: "string" },
        json: { type: "boolean", default: false },
      },
    });
    const port = onlyPort(positionals);
    const protocol = oneOf("--protocol", values.protocol, ["udp", "tcp", "both"]);
    const via = oneOf("--via", values.via, VIA_WORDS);
    const gateway = ipAddress("--gateway", values.gateway);
    const output = new Output(values.json);
    using interruption = new Interruption();
    await using router = await Router.find({
      via: via === "auto" ? undefined : [via],
      gateway,
      signal: interruption.signal,
    });
    if (router.gateways.length === 0) {
      output.event("failed", { kind: "no-gateway", reason: router.reason });
      output.line(`${output.style("red", "No router answered:")} ${router.reason}`);
      return EXIT_UNAVAILABLE;
    }
    const entries = (await router.entries()).filter(
      (each) => each.externalPort === port && (protocol === "both" || each.transport === protocol),
    );
    let failed = entries.length === 0;
    for (const entry of entries) failed = !(await removeOne(router, entry, output)) || failed;
    if (entries.length === 0) {
      output.event("absent", { externalPort: port, protocol });
      output.line(`Nothing is mapped at port ${port}, as far as the router tells.`);
    }
    return failed ? EXIT_UNAVAILABLE : 0;
  },
};

async function removeOne(router: Router, entry: RouterEntry, output: Output): Promise<boolean> {
  const { transport, externalPort, internalAddress, internalPort, via } = entry;
  const name = `${transport.toUpperCase()} port ${externalPort} to ${internalAddress}:${internalPort}`;
  if (!entry.isOurs) {
    output.event("foreign", { ...entry });
    output.line(`${output.style("yellow", "Left alone:")} ${name} belongs to another computer`);
    return false;
  }
  const { description, isMadeHere } = entry;
  const gone = await router.remove(entry);
  const fields = { via, protocol: transport, externalPort, internalAddress, internalPort, description, isMadeHere };
  output.event(gone ? "unmapped" : "failed", fields);
  const maker = isMadeHere
    ? ""
    : `, which was not ours: another program made it${description ? ` (${description})` : ""}`;
  output.line(
    gone
      ? `${output.style("green", "Unmapped")} ${name}${maker}`
      : `${output.style("red", "Not unmapped:")} ${name}: the router did not confirm it`,
  );
  if (gone && entry.heldBy !== undefined) {
    output.line(
      output.style("yellow", `Process ${entry.heldBy} holds this mapping and will make it again: end that process.`),
    );
  }
  return gone;
}
