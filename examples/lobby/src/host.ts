/** `npm run host` */
import { hostname } from "node:os";
import { OwnPages } from "sallyport/colyseus";
import { readArguments, readLobby, readPort, type Usage } from "./cli/arguments.ts";
import { interruption, keepOutputForJson, runProgram } from "./cli/program.ts";
import { openTrace, TRACE_OPTION } from "./cli/trace.ts";
import { ArenaHost } from "./host/arena-host.ts";
import { type HostEvent, Narrator, type TimedHostEvent } from "./host/events.ts";
import { HostPanel } from "./host/panel.ts";
import { DEFAULT_GAME_PORT } from "./network/application.ts";

const USAGE: Usage = {
  command: "npm run host --",
  summary: "Hosts an arena game: opens a way in and, with a lobby, gives you an invite to pass on.",
  options: {
    lobby: { type: "string", value: "URL", help: 'lobby to be listed in, or "public": public relays (LOBBY_URL)' },
    port: { type: "string", value: "N", help: "port of the game, UDP and TCP (GAME_PORT, else 7777)" },
    name: { type: "string", value: "TEXT", help: "what the lobby's list shows" },
    json: { type: "boolean", help: "JSON lines: listening, lan, reachability, invite, lobby, joined, left" },
    trace: TRACE_OPTION,
  },
  environment: {
    GAME_PORT: "port of the game, UDP and TCP",
    LOBBY_URL: "lobby to be listed in, or public",
    PAGE_URL: "with public: the page of the invite's link",
    SALLYPORT_RELAYS: "with public: relays in place of the package's list, with commas between them",
    SALLYPORT_STUN_URLS: "STUN servers, with commas between them",
  },
  examples: [
    "npm run host",
    'npm run host -- --lobby https://lobby.example --name "Friday night"',
    "npm run host -- --lobby public",
    "npm run host -- --port 7001 --json",
  ],
};

await runProgram(async ({ signal, onExit }) => {
  const began = performance.now();
  const options = readArguments(USAGE, process.argv.slice(2));
  const port = readPort(options.text("port"), "GAME_PORT", DEFAULT_GAME_PORT);
  const lobby = readLobby(options.text("lobby"), "--lobby") ?? readLobby(process.env["LOBBY_URL"], "LOBBY_URL");
  const json = options.flag("json");
  if (json) keepOutputForJson();
  else if (lobby === "public")
    console.log("Inviting through public relays: they see this computer's public address, and the time.");
  openTrace(options.text("trace"), "npm run host", onExit);

  const narrator = new Narrator();
  const own = new OwnPages();
  const panel = new HostPanel(own);
  const report = (event: HostEvent): void => {
    const timed: TimedHostEvent = { ...event, ms: Math.round(performance.now() - began) };
    panel.tell(timed);
    const lines = json ? [JSON.stringify(timed)] : narrator.describe(event);
    for (const line of lines) process.stdout.write(`${line}\n`);
  };
  const name = options.text("name") ?? `Arena on ${hostname()}`;
  const page = own.link(port, "/host");
  const host = new ArenaHost({ port, lobby, name: name.slice(0, 64), page, panel, report });
  onExit(() => host.close());
  await Promise.race([host.open(signal), interruption(signal)]);
  await interruption(signal);
  if (!json) console.log("Closing …");
  return 0;
});
