import { messageOf } from "../net/message-of.ts";
import { invitesFromEnvironment } from "../rendezvous/environment.ts";
import { isPublicCode, parseInvite } from "../rendezvous/wire/invite.ts";
import { type Join, join as openJoin } from "../tunnel/join.ts";
import { type Command, EXIT_UNAVAILABLE, ipAddress, parseOptions, UsageError, wholeNumber } from "./command.ts";
import { Output } from "./output.ts";
import { Interruption } from "./signals.ts";
import { openTrace, TRACE_OPTION, TRACE_USAGE } from "./trace.ts";
import { describePath, describeTraffic, Rates } from "./tunnel-words.ts";

export const join: Command = {
  summary: "reach a friend's game by an invite, as if it ran on this computer",
  usage: `sallyport join INVITE [options]

  INVITE                  a code such as K7Q2-9FXM-T3PD, or a whole link, as sallyport share shows it
  --port N                the port of this computer, where the host shares one (default: the host's)
  --bind ADDRESS          the address to listen at; 0.0.0.0 lets others of this network join through this computer
                          (default: 127.0.0.1, or 127.0.0.2 where a port is taken)
  --lobby URL             for a code of eight characters: the lobby to ask (default: LOBBY_URL)
  --json                  JSON lines for programs: connected, listening, path, lost, closed
${TRACE_USAGE}

  sallyport join K7Q2-9FXM-T3PD`,

  async run(args) {
    const { values, positionals } = parseOptions({
      args: [...args],
      allowPositionals: true,
      options: {
        port: { type: "string" },
        bind: { type: "string" },
        lobby: { type: "string" },
        json: { type: "boolean", default: false },
        trace: TRACE_OPTION,
      },
    });
    const [invite, ...rest] = positionals;
    if (invite === undefined) throw new UsageError("the invite is missing");
    if (rest.length > 0) throw new UsageError(`one invite is expected, not ${positionals.length}`);
    const parsed = parseInvite(invite);
    if (parsed === undefined) {
      throw new UsageError(`${invite.slice(0, 80)} is no invite: one looks like K7Q2-9FXM-T3PD, or is a whole link`);
    }
    const { lobby: usual, relays, stunServers } = environment();
    const lobby = values.lobby ?? usual;
    if (parsed.lobby === undefined && !isPublicCode(parsed.code) && lobby === undefined) {
      throw new UsageError("a code of eight characters needs --lobby URL, or the whole link");
    }
    const port = values.port === undefined ? undefined : wholeNumber("--port", values.port, 1, 65535);
    const bind = ipAddress("--bind", values.bind);
    using _trace = openTrace(values.trace, "join");
    const output = new Output(values.json);
    using interruption = new Interruption();
    output.line(output.style("dim", "Looking for the host"));
    let joined: Join;
    try {
      joined = await openJoin(invite, { lobby, relays, stunServers, port, bind, signal: interruption.signal });
    } catch (error) {
      if (interruption.signal.aborted) return 130;
      return failed(output, error);
    }
    await using _joined = joined;
    tell(joined, output);
    using _status = output.status(statusOf(joined));
    await interruption.wait();
    output.line(output.style("dim", "Closing"));
    await joined.close();
    output.event("closed");
    return 0;
  },
};

function statusOf(joined: Join): () => string[] {
  const rates = new Rates();
  return () => {
    const { status, ports } = joined;
    const said = describeTraffic(status, rates.look(0, status, performance.now()));
    const [first] = ports;
    const type = first === undefined ? "" : `type into the game: ${first.address}:${first.port}`;
    return ["", `  ${(status.path ?? "away").padEnd(8)} ${status.path === undefined ? "" : said}`, `  ${type}`];
  };
}

/** @throws {UsageError} */
function environment(): ReturnType<typeof invitesFromEnvironment> {
  try {
    return invitesFromEnvironment();
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

function failed(output: Output, error: unknown): number {
  const { code } = error as { code?: string };
  const reason = messageOf(error);
  output.event("failed", { ...(code === undefined ? {} : { code }), reason });
  output.line(`${output.style("red", "Not connected:")} ${reason}`);
  if (code === "unreachable" || code === "timeout") {
    output.line(
      "Is the host still sharing, and is every letter of the invite right? A relay cannot tell one from the other.",
    );
  }
  return EXIT_UNAVAILABLE;
}

function tell(joined: Join, output: Output): void {
  const { path = "direct", remote } = joined.status;
  output.event("connected", { path, connectMs: output.ms, name: joined.name, remote });
  const whose = joined.name === "" ? "The host" : `"${joined.name}"`;
  output.line(output.style("green", `${whose} is ${describePath(path)}`));
  for (const { protocol, port, address, remotePort } of joined.ports) {
    output.event("listening", { protocol, port, address, remotePort });
  }
  for (const remotePort of new Set(joined.ports.map((each) => each.remotePort))) {
    const some = joined.ports.filter((each) => each.remotePort === remotePort);
    const [first] = some;
    if (first === undefined) continue;
    const protocols = some.map(({ protocol }) => protocol.toUpperCase()).join(" and ");
    output.line(`\n  ${output.style("bold", `${first.address}:${first.port}`)}   ${protocols}\n`);
    if (first.port !== remotePort) {
      output.line(
        output.style("yellow", `Port ${remotePort} is taken on this computer: use ${first.port} in the game.`),
      );
    }
  }
  output.line("Type that address into the game. Ctrl-C ends it.");
  joined.on("path", (kind) => {
    output.event("path", { path: kind });
    output.line(output.style("dim", `The host is ${describePath(kind)} now`));
  });
  joined.on("lost", (reason) => {
    output.event("lost", { reason });
    output.line(output.style("yellow", `The host is gone (${reason}); looking for it. The ports stay.`));
  });
  joined.on("connected", (kind, ms) => {
    output.event("connected", { path: kind, connectMs: ms });
    output.line(output.style("green", `The host is back, ${describePath(kind)}`));
  });
}
