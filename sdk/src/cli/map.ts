import { PortMapper } from "../gateway/mapper/port-mapper.ts";
import { type MappingEvent, PortMapError, type PortMapping, type Via } from "../gateway/types.ts";
import { type Command, EXIT_UNAVAILABLE, ipAddress, oneOf, onlyPort, parseOptions, wholeNumber } from "./command.ts";
import { lease, mappingFields, Output } from "./output.ts";
import { Interruption } from "./signals.ts";
import { openTrace, TRACE_OPTION, TRACE_USAGE } from "./trace.ts";

/** Words of `--via`. */
export const VIA_WORDS: readonly ("auto" | Via)[] = ["auto", "pcp", "nat-pmp", "upnp"];

export const map: Command = {
  summary: "map a port of the router to this computer, and hold it until Ctrl-C",
  usage: `sallyport map PORT [options]

  PORT                    the external port wished for, 1-65535; another is taken when it is not free
  --internal N            the port on this computer (default: PORT)
  --protocol WHICH        udp, tcp or both on one number (default: both)
  --lease SECONDS         how long the router is asked to keep it, 0 for ever (default: 7200); it is renewed meanwhile
  --via HOW               auto, pcp, nat-pmp or upnp (default: auto)
  --gateway ADDRESS       the router's address on this network, where several answer (default: the default gateway)
  --description TEXT      what the router's page calls it (default: Sallyport)
  --accept-private-address
                          map it although the router's external address is private: behind a provider's box that
                          passes everything on (DMZ, 1:1 NAT)
  --ipv6                  a pinhole through the router's IPv6 firewall instead of a port of its IPv4 address
  --wait                  go on trying when there is no router yet
  --json                  JSON lines for programs
${TRACE_USAGE}`,

  async run(args) {
    const { values, positionals } = parseOptions({
      args: [...args],
      allowPositionals: true,
      options: {
        internal: { type: "string" },
        protocol: { type: "string", default: "both" },
        lease: { type: "string", default: "7200" },
        via: { type: "string", default: "auto" },
        gateway: { type: "string" },
        description: { type: "string", default: "Sallyport" },
        "accept-private-address": { type: "boolean", default: false },
        ipv6: { type: "boolean", default: false },
        wait: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        trace: TRACE_OPTION,
      },
    });
    const externalPort = onlyPort(positionals);
    const internalPort =
      values.internal === undefined ? externalPort : wholeNumber("--internal", values.internal, 1, 65535);
    const protocol = oneOf("--protocol", values.protocol, ["udp", "tcp", "both"]);
    const lifetimeSeconds = wholeNumber("--lease", values.lease, 0, 604_800);
    const via = oneOf("--via", values.via, VIA_WORDS);
    const gateway = ipAddress("--gateway", values.gateway);
    using _trace = openTrace(values.trace, "map");
    const output = new Output(values.json);

    using interruption = new Interruption();
    await using mapper = new PortMapper({ via: via === "auto" ? undefined : [via], gateway });
    for (const name of ["mapped", "renewed", "changed", "lost", "unmapped"] as const) {
      mapper.on(name, (event) => tell(output, event));
    }
    output.line(output.style("dim", "Looking for a router that maps ports"));
    try {
      await mapper.map(
        {
          internalPort,
          externalPort,
          protocol,
          lifetimeSeconds,
          description: values.description,
          family: values.ipv6 ? 6 : 4,
          acceptPrivateAddress: values["accept-private-address"],
        },
        { signal: interruption.signal, onStep: (step) => output.step(step) },
      );
    } catch (error) {
      if (!(error instanceof PortMapError)) throw error;
      if (error.kind === "aborted") return 0;
      output.event("failed", {
        kind: error.kind,
        reason: error.message,
        ...(error.code === undefined ? {} : { code: error.code }),
      });
      output.line(`${output.style("red", "Not mapped:")} ${error.message}`);
      if (!values.wait) return EXIT_UNAVAILABLE;
      output.line("Trying on; Ctrl-C ends it.");
    }
    await interruption.wait();
    output.line(output.style("dim", "Giving the port back"));
    return 0;
  },
};

function tell(output: Output, { event, mapping, reason, ms }: MappingEvent): void {
  output.event(event, { sinceRequestMs: ms, ...mappingFields(mapping), reason });
  const [style, name] = STYLES[event];
  output.line(`${output.style(style, name)} ${describe(mapping)}${event === "mapped" ? "" : `: ${reason}`}`);
  if (event === "mapped") output.line(output.style("dim", "It is held and renewed until Ctrl-C."));
}

const STYLES = {
  mapped: ["green", "Mapped"],
  renewed: ["dim", "Renewed"],
  changed: ["yellow", "Changed"],
  lost: ["red", "Lost"],
  unmapped: ["green", "Unmapped"],
} as const;

function describe(mapping: PortMapping): string {
  const { protocol, externalAddress, externalPort, internalAddress, internalPort, via, expiresAt } = mapping;
  const transports = protocol === "both" ? "UDP and TCP" : protocol.toUpperCase();
  return `${transports} ${endpoint(externalAddress, externalPort)} to ${endpoint(internalAddress, internalPort)} by ${via}, ${lease(expiresAt)}`;
}

function endpoint(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
