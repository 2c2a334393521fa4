import { optionsFromEnvironment } from "../connectivity/environment.ts";
import { ConnectivityManager } from "../connectivity/manager/manager.ts";
import type { ConnectivityOptions } from "../connectivity/options.ts";
import type { Reachability, Verdict } from "../connectivity/reachability.ts";
import { formatEndpoint } from "../net/endpoint.ts";
import { howToLetIn } from "../net/firewall.ts";
import { messageOf } from "../net/message-of.ts";
import { isPortTaken, UDPSocketError } from "../net/udp-error.ts";
import { PUBLIC_LOBBY } from "../rendezvous/wire/invite.ts";
import { serverSeenFrom } from "../rendezvous/wire/seen-from.ts";
import type { TurnServer } from "../turn/open.ts";
import { parseTurnUrl } from "../turn/url.ts";
import { type OfferedCandidate, offeredCandidates } from "./candidates.ts";
import { type Command, EXIT_SOFTWARE, ipAddress, parseOptions, UsageError, wholeNumber } from "./command.ts";
import { Output } from "./output.ts";
import { checkPublicLobby } from "./relays.ts";
import { Interruption } from "./signals.ts";
import { openTrace, TRACE_OPTION, TRACE_USAGE } from "./trace.ts";

const USUAL_PORT = 7777;
const EXIT_CODES: Record<Verdict, number> = { open: 0, mapped: 0, punchable: 0, "relay-only": 2, "lan-only": 3 };

export const doctor: Command = {
  summary: "find out how players can reach a game on this computer, and what to do where they cannot",
  usage: `sallyport doctor [options]

  --port N                the game's port, 1-65535 (default: 7777, or a free one where it is taken)
  --stun HOST:PORT        a STUN server, which sees this computer from outside; may be given several times
                          (default: SALLYPORT_STUN_URLS). One with two addresses tells most: coturn has that.
  --turn URL              a TURN server, as turn:HOST:PORT, with --turn-username NAME and --turn-credential SECRET:
                          players who cannot be reached otherwise come through it
  --gateway ADDRESS       the router's address on this network, where several answer (default: the default gateway)
  --accept-private-address
                          open the port although the router stands behind another NAT, as behind a provider's box that
                          passes everything on; a packet from outside then says whether it does
  --lobby URL             a lobby, whose STUN servers are asked too; or public: public relays and STUN servers, of which it
                          says which answer (SALLYPORT_RELAYS and SALLYPORT_STUN_URLS name others)
  --lifetime              also measure how long the router remembers a silent connection; takes 1 to 3 minutes
  --json                  the report as JSON, for programs
${TRACE_USAGE}

Exit code: 0 open, mapped or punchable; 2 through a relay only; 3 on this network only.
Ports that were opened for the test are given back at the end.

  sallyport doctor --port 7777 --stun stun.example:3478`,

  async run(args) {
    const { values, positionals } = parseOptions({
      args: [...args],
      allowPositionals: true,
      options: {
        port: { type: "string" },
        stun: { type: "string", multiple: true },
        lobby: { type: "string" },
        turn: { type: "string" },
        "turn-username": { type: "string" },
        "turn-credential": { type: "string" },
        gateway: { type: "string" },
        "accept-private-address": { type: "boolean", default: false },
        lifetime: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        trace: TRACE_OPTION,
      },
    });
    if (positionals.length > 0) throw new UsageError(`doctor takes options only, not ${positionals[0]}`);
    const port = values.port === undefined ? undefined : wholeNumber("--port", values.port, 1, 65535);
    const isPublic = values.lobby === PUBLIC_LOBBY;
    const lobby = values.lobby === undefined || isPublic ? undefined : lobbyUrl(values.lobby);
    const gateway = ipAddress("--gateway", values.gateway);
    using _trace = openTrace(values.trace, "doctor");
    const output = new Output(values.json);
    using interruption = new Interruption();
    const publicLobby = isPublic ? await checkPublicLobby(output) : undefined;
    const named = lobby ? await stunServersOf(lobby, output) : (publicLobby?.stunServers ?? []);
    const stunServers = [...(values.stun ?? []), ...named];
    const turn = turnServer(values.turn, values["turn-username"], values["turn-credential"]);
    const options: ConnectivityOptions = {
      ...optionsFromEnvironment(),
      description: "Sallyport doctor",
      lifetimeWaitsMs: [],
      acceptPrivateAddress: values["accept-private-address"],
      ...(gateway === undefined ? {} : { gateway }),
      ...(turn ? { turnServers: [turn] } : {}),
      ...(stunServers.length > 0 ? { stunServers } : {}),
    };
    await using connectivity = bind(options, port, output);
    if (!connectivity) return EXIT_SOFTWARE;
    if (!values.json) connectivity.on("step", (step) => output.step(step));
    output.line(output.style("dim", `Looking for ways in to UDP and TCP port ${connectivity.port}`));
    try {
      await connectivity.open({ signal: interruption.signal });
      await Promise.race([connectivity.settled(), aborted(interruption.signal)]);
      if (values.lifetime) await Promise.race([measureLifetime(connectivity, output), aborted(interruption.signal)]);
    } catch (error) {
      if (!interruption.signal.aborted) throw error;
    }
    if (interruption.signal.aborted) return 130;
    const { reachability } = connectivity;
    const candidates = offeredCandidates(reachability);
    const relays = publicLobby && { relays: publicLobby.relays };
    if (values.json) process.stdout.write(`${JSON.stringify({ ...reachability, candidates, ...relays })}\n`);
    else report(reachability, candidates, output);
    return EXIT_CODES[reachability.verdict];
  },
};

async function measureLifetime(connectivity: ConnectivityManager, output: Output): Promise<void> {
  const hint = "How long does the router remember a silent connection? Silences are tried; this takes 1 to 3 minutes.";
  output.line(output.style("dim", hint));
  await connectivity.measureLifetime((waitMs, survived) => {
    const seconds = `${Math.round(waitMs / 100) / 10} s`.padStart(8);
    output.line(output.style("dim", `${seconds} of silence: ${survived ? "remembered" : "forgotten"}`));
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** The wished port, or any where none was wished and the usual one is taken. */
function bind(options: ConnectivityOptions, port: number | undefined, output: Output): ConnectivityManager | undefined {
  const usual = new ConnectivityManager({ ...options, port: port ?? USUAL_PORT });
  try {
    usual.bind();
    return usual;
  } catch (error) {
    if (!(error instanceof UDPSocketError)) throw error;
    if (port === undefined && isPortTaken(error.code, USUAL_PORT)) {
      const why = error.code === "EADDRINUSE" ? "is in use (by a game of yours?)" : "is reserved by the system";
      output.line(`Port ${USUAL_PORT} ${why}; a free one is tried in its place.`);
      const other = new ConnectivityManager({ ...options, port: 0 });
      other.bind();
      return other;
    }
    process.stderr.write(`sallyport doctor: ${error.message}\n`);
    return undefined;
  }
}

/** @throws {UsageError} */
function turnServer(
  urls: string | undefined,
  username: string | undefined,
  credential: string | undefined,
): TurnServer | undefined {
  if (urls === undefined) {
    if (username !== undefined || credential !== undefined) throw new UsageError("--turn-username goes with --turn");
    return undefined;
  }
  if (parseTurnUrl(urls) === null)
    throw new UsageError(`--turn must be a URL such as turn:turn.example:3478, not ${urls}`);
  if (username === undefined || credential === undefined) {
    throw new UsageError("--turn needs --turn-username and --turn-credential");
  }
  return { urls, username, credential };
}

function lobbyUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new UsageError(`--lobby must be a URL such as https://lobby.example, not ${text}`);
  }
  return url;
}

async function stunServersOf(lobby: URL, output: Output): Promise<string[]> {
  try {
    const response = await fetch(new URL("connectivity", lobby), { signal: AbortSignal.timeout(3000) });
    const { stun } = (await response.json()) as { stun?: unknown };
    const servers = Array.isArray(stun) ? stun.filter((server) => typeof server === "string").slice(0, 8) : [];
    return servers.map((server) => serverSeenFrom(server, lobby));
  } catch (error) {
    const reason = messageOf(error);
    output.line(`The lobby ${lobby.href} does not answer (${reason}): is it running, and is the URL right?`);
    return [];
  }
}

const VERDICT_STYLES = {
  open: "green",
  mapped: "green",
  punchable: "cyan",
  "relay-only": "yellow",
  "lan-only": "red",
} as const;

const PROOFS = { outside: ", proven from outside", router: ", confirmed by the router", none: "" } as const;

function report(
  { verdict, summary, endpoints, nat, gateways, steps }: Reachability,
  candidates: readonly OfferedCandidate[],
  output: Output,
): void {
  output.line("");
  output.line(`${output.style([VERDICT_STYLES[verdict], "bold"], verdict)}  ${summary}`);
  const row = (name: string, text: string): void => output.line(`  ${output.style("dim", name.padEnd(10))} ${text}`);
  for (const { protocol, address, port, kind, via, proof } of endpoints) {
    const shown = address.includes(":") ? `[${address}]` : address;
    row(kind, `${protocol} ${shown}:${port}${via === "interface" ? "" : ` by ${via}`}${PROOFS[proof]}`);
  }
  for (const { via, name, address, externalAddress } of gateways) {
    row("gateway", `${name} at ${address} (${via})${externalAddress ? `, outside ${externalAddress}` : ""}`);
  }
  // From the network alone nobody can tell whether this computer lets players in.
  const isProven = endpoints.some(({ proof, kind }) => proof === "outside" && (kind === "host" || kind === "mapped"));
  const letIn = howToLetIn();
  if (letIn !== "" && !isProven && !steps.some(({ step }) => step === "firewall")) row("firewall", `${letIn}.`);
  const hairpin = nat.hairpinning === null ? "unknown" : nat.hairpinning ? "yes" : "no";
  row(
    "nat",
    `mapping ${nat.mapping}, filtering ${nat.filtering}, hairpin ${hairpin}${nat.carrierGrade ? ", behind another NAT" : ""}`,
  );
  const lifetime = steps.find(({ step }) => step === "lifetime");
  if (lifetime) row("lifetime", lifetime.reason);
  for (const { type, address, port, reason } of candidates) {
    row("candidate", `${type} ${formatEndpoint({ address, port })}, ${reason}`);
  }
}
