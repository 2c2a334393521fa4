/** `npm start`: a lobby and an arena host, both on this machine. */
import { readArguments, readPort, type Usage } from "./cli/arguments.ts";
import { EXIT, interruption, runProgram, SHUTDOWN_MS } from "./cli/program.ts";
import { style } from "./cli/style.ts";
import { Narrator, type TimedHostEvent } from "./host/events.ts";
import { DEFAULT_GAME_PORT } from "./network/application.ts";
import { Child } from "./start/child.ts";

const USAGE: Usage = {
  command: "npm start --",
  summary: "Starts a lobby and an arena host on this machine.",
  options: {
    port: { type: "string", value: "N", help: "port of the lobby (PORT, else 2567)" },
    "game-port": { type: "string", value: "N", help: "port of the arena, UDP and TCP (GAME_PORT, else 7777)" },
  },
  environment: {
    PORT: "port of the lobby (2567)",
    GAME_PORT: "port of the arena, UDP and TCP (7777)",
    PUBLIC_URL: "the lobby's URL as players know it",
  },
  examples: ["npm start", "npm start -- --port 8080 --game-port 7001"],
};

await runProgram(
  async ({ signal, onExit }) => {
    const options = readArguments(USAGE, process.argv.slice(2));
    const port = readPort(options.text("port"), "PORT", 2567);
    const gamePort = readPort(options.text("game-port"), "GAME_PORT", DEFAULT_GAME_PORT, "--game-port");

    const sayLobby = print("magenta", "lobby");
    const lobby = new Child("lobby.ts", [], { ...process.env, PORT: String(port) }, (line, stream) =>
      sayLobby([line], stream),
    );
    onExit(() => lobby.stop());
    const first = await Promise.race([lobby.ready, lobby.exited, interruption(signal)]);
    if (signal.aborted) return 0;
    if (typeof first === "number") return first;

    const say = print("cyan", "host");
    const narrator = new Narrator();
    const host = new Child(
      "host.ts",
      ["--json", "--lobby", `http://127.0.0.1:${port}/`],
      { ...process.env, GAME_PORT: String(gamePort) },
      (line, stream) => (stream === "stdout" ? say(readable(line, narrator), stream) : say([line], stream)),
    );
    onExit(() => host.stop());

    const exitCode = await Promise.race([lobby.exited, host.exited, interruption(signal)]);
    if (signal.aborted) {
      console.log("Closing …");
      return 0;
    }
    console.error("One of the two has ended, so the other ends too.");
    return exitCode === undefined || exitCode === 0 ? EXIT.software : exitCode;
  },
  { shutdownMs: SHUTDOWN_MS + 2000 },
);

function print(
  colour: "magenta" | "cyan",
  name: string,
): (lines: readonly string[], stream: "stdout" | "stderr") => void {
  const prefix = style(colour, `${name.padEnd(5)} │ `);
  return (lines, stream) => {
    for (const line of lines) process[stream].write(`${prefix}${line}\n`);
  };
}

/** The host speaks JSON here, so that its sentences are made for this terminal. */
function readable(line: string, narrator: Narrator): string[] {
  try {
    return narrator.describe(JSON.parse(line) as TimedHostEvent);
  } catch {
    return [line];
  }
}
