import { join } from "node:path";
import { optionsFromEnvironment } from "../connectivity/environment.ts";
import { stateDirectory } from "../gateway/journal/journal.ts";
import { messageOf } from "../net/message-of.ts";
import { UDPSocketError } from "../net/udp-error.ts";
import { invitesFromEnvironment } from "../rendezvous/environment.ts";
import { parseLobbyUrl } from "../rendezvous/mailbox/lobby-url.ts";
import { RendezvousError } from "../rendezvous/wire/errors.ts";
import { PUBLIC_LOBBY } from "../rendezvous/wire/invite.ts";
import { type GuestInfo, share as openShare, type Share } from "../tunnel/share.ts";
import { formatPort, parsePorts, type TunnelPort } from "../tunnel/wire/ports.ts";
import { type Command, EXIT_UNAVAILABLE, ipAddress, parseOptions, UsageError, wholeNumber } from "./command.ts";
import { Output } from "./output.ts";
import { Interruption } from "./signals.ts";
import { openTrace, TRACE_OPTION, TRACE_USAGE } from "./trace.ts";
import { describePath, describeTraffic, Rates } from "./tunnel-words.ts";
import { warningsOf } from "./warned-ports.ts";

export const share: Command = {
  summary: "let friends reach a game on this computer by an invite, whatever routers are between",
  usage: `sallyport share PORT[/udp|/tcp]… [options]

  PORT                    a port of the game, 1-65535, over UDP and TCP; 7777/udp or 7777/tcp for one of them. Up to 64.
                          Guests reach these ports and nothing else.
  --name NAME             what guests are told
  --lobby URL             how guests find this computer: a lobby's URL, or public for public relays (default: LOBBY_URL, else
                          public; SALLYPORT_RELAYS and SALLYPORT_STUN_URLS name others than the package's)
  --max N                 guests at once, 1-1000 (default: 100)
  --address ADDRESS       where the game listens, if not at 127.0.0.1 or ::1
  --new-invite            take the invite of earlier times back, and make another
  --proxy-protocol        tell the game each guest's real address over TCP, by PROXY protocol 2; the game has to know it
  --json                  JSON lines for programs: reachability, invite, joined, path, left, lost, refused, closed
${TRACE_USAGE}

The same ports have the same invite each time. Friends take it with:  sallyport join INVITE

  sallyport share 7777`,

  async run(args) {
    const { values, positionals } = parseOptions({
      args: [...args],
      allowPositionals: true,
      options: {
        name: { type: "string" },
        lobby: { type: "string" },
        max: { type: "string", default: "100" },
        address: { type: "string" },
        "new-invite": { type: "boolean", default: false },
        "proxy-protocol": { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        trace: TRACE_OPTION,
      },
    });
    const ports = portsOf(positionals);
    const maxGuests = wholeNumber("--max", values.max, 1, 1000);
    const address = ipAddress("--address", values.address);
    const invites = environment();
    const lobby = lobbyOf(values.lobby ?? invites.lobby);
    using _trace = openTrace(values.trace, "share");
    const output = new Output(values.json);
    using interruption = new Interruption();

    for (const warning of warningsOf(ports)) output.line(output.style("yellow", warning));
    const said = ports.map(formatPort).join(", ");
    output.line(output.style("dim", `Sharing ${said}; friends find it by ${wordsOf(lobby)}`));
    let shared: Share;
    try {
      shared = await openShare({
        ...invites,
        ports,
        lobby,
        maxGuests,
        proxyProtocol: values["proxy-protocol"],
        secretFile: secretFileOf(ports),
        connectivity: optionsFromEnvironment(),
        ...(values.name === undefined ? {} : { name: values.name }),
        ...(address === undefined ? {} : { address }),
      });
    } catch (error) {
      if (!(error instanceof RendezvousError || error instanceof UDPSocketError)) throw error;
      return failed(output, error);
    }
    await using _shared = shared;
    const ended = Promise.withResolvers<number>();
    tell(shared, output, (error) => ended.resolve(failed(output, error)));
    using _status = output.status(statusOf(shared, maxGuests, output));
    if (values["new-invite"]) void shared.newInvite().catch(() => undefined);
    const code = await Promise.race([ended.promise, interruption.wait().then(() => 0)]);
    output.line(output.style("dim", "Closing"));
    await shared.close();
    output.event("closed");
    return code;
  },
};

/** @throws {UsageError} */
function portsOf(words: readonly string[]): TunnelPort[] {
  if (words.length === 0) throw new UsageError("the port is missing");
  try {
    return parsePorts(words);
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

/** @throws {UsageError} */
function environment(): ReturnType<typeof invitesFromEnvironment> {
  try {
    return invitesFromEnvironment();
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

/** @throws {UsageError} */
function lobbyOf(lobby: string = PUBLIC_LOBBY): string {
  if (lobby === PUBLIC_LOBBY) return lobby;
  try {
    return parseLobbyUrl(lobby);
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

const wordsOf = (lobby: string): string =>
  lobby === PUBLIC_LOBBY
    ? "public relays, which see this computer's public address and the time, and nothing of what is said"
    : `the lobby ${lobby}`;

/** The same ports have the same invite. */
function secretFileOf(ports: readonly TunnelPort[]): string {
  const name = ports.map(({ port, protocol }) => `${port}${protocol}`).join("-");
  return join(stateDirectory(), `share-${name.slice(0, 120)}.secret`);
}

function failed(output: Output, error: Error & { code: string }): number {
  output.event("failed", { code: error.code, reason: error.message });
  output.line(`${output.style("red", "Not shared:")} ${error.message}`);
  return EXIT_UNAVAILABLE;
}

function tell(shared: Share, output: Output, onFailed: (error: RendezvousError) => void): void {
  let told: string | undefined;
  shared.on("reachability", (reachability) => {
    output.event("reachability", { ...reachability });
    if (reachability.summary !== told) output.line(output.style("dim", (told = reachability.summary)));
  });
  shared.on("invite", ({ code, url }) => {
    output.event("invite", { code, url });
    output.line(`\n  ${output.style(["bold", "green"], code)}\n\n  ${url}\n`);
    output.line(`A friend runs:  npx sallyport join ${code}`);
  });
  shared.on("lost", ({ message }, retryInMs) => {
    output.event("lost", { reason: message, retryInMs });
    output.line(output.style("yellow", `The invite leads nowhere for the moment: ${message} Trying again.`));
  });
  shared.on("failed", onFailed);
  shared.on("joined", (guest) => guestLine(output, "joined", guest));
  shared.on("path", (guest) => guestLine(output, "path", guest));
  shared.on("left", (guest) => guestLine(output, "left", guest));
  const refused = new Set<number>();
  shared.on("refused", (port) => {
    output.event("refused", { port });
    if (!refused.has(port)) {
      const hint = "Start the game; the guest only has to try again.";
      output.line(output.style("yellow", `A guest connected, but no program listens on TCP port ${port}. ${hint}`));
    }
    refused.add(port);
  });
}

function statusOf(shared: Share, maxGuests: number, output: Output): () => string[] {
  const rates = new Rates();
  return () => {
    const { guests, invite } = shared;
    const now = performance.now();
    const code = invite === undefined ? "" : output.style(["bold", "green"], invite.code);
    return [
      "",
      `  Invite   ${code}`,
      `  Guests   ${guests.length} of ${maxGuests}`,
      ...guests.map((guest) => {
        const said = describeTraffic(guest, rates.look(guest.guest, guest, now));
        return `  ${String(guest.guest).padStart(5)}    ${guest.path.padEnd(8)} ${said}  ${output.style("dim", guest.address)}`;
      }),
    ];
  };
}

function guestLine(output: Output, event: "joined" | "path" | "left", guest: GuestInfo): void {
  output.event(event, { ...guest });
  const words = {
    joined: `Guest ${guest.guest} is in, ${describePath(guest.path)}; the game sees it as ${guest.address}`,
    path: `Guest ${guest.guest} is ${describePath(guest.path)} now`,
    left: `Guest ${guest.guest} has left`,
  };
  output.line(output.style(event === "joined" ? "green" : "dim", words[event]));
}
