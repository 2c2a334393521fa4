// A room at 60 Hz on one of two transports: inputs move players, and each patch acknowledges them. A line on standard input asks what
// it saw since the last one; "walk" asks where the first player was.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { defineRoom, defineServer, logger, Room } from "@colyseus/core";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { SallyportTransport } from "sallyport/colyseus";
import { DRONE_RADIUS, walk as move, somewhere, TICK_RATE } from "../../../examples/lobby/src/arena/rules.js";
import { ArenaInput, ArenaState, Drone, Player } from "../../../examples/lobby/src/arena/state.ts";

export interface ServerArguments {
  transport: "ws" | "sallyport";
  address: string;
  port: number;
}

export interface ServerReport extends Record<string, unknown> {
  event: "report";
  /** Inputs that were consumed. */
  inputs: number;
  /** The longest time that a player's inputs were missing, ticks. */
  starvedTicks: number;
  /** Ticks without an input, of all ticks of all players. */
  starvedShare: number;
  cpuMsPerSecond: number;
}

/** Of the first player: the room's time, ms, and where it was then. */
export interface WalkReport extends Record<string, unknown> {
  event: "walk";
  walk: [ms: number, x: number, y: number][];
}

interface Watched {
  started: boolean;
  missing: number;
}

const MOST_STEPS = 10_000;
const walk: WalkReport["walk"] = [];
const seen = { inputs: 0, ticks: 0, starved: 0, longest: 0 };
let cpu = process.cpuUsage();
let since = performance.now();

class PredictionRoom extends Room<{ state: ArenaState; input: ArenaInput }> {
  override maxClients = 100;
  override maxMessagesPerSecond = Number.POSITIVE_INFINITY;
  override patchRate = 1000 / TICK_RATE;
  override state: ArenaState = new ArenaState();
  override inputs = this.defineInput(ArenaInput, { bufferMaxSize: 128 });
  readonly rewind = this.allowRewindState();
  readonly #watched = new Map<string, Watched>();

  override onCreate(): void {
    this.rewind.attachAll(this.state.players, { fields: ["x", "y"] });
    this.state.drones.set("d0", new Drone(somewhere(DRONE_RADIUS)));
    this.setFixedTimestep(({ dt }) => this.#step(dt), TICK_RATE);
  }

  override onJoin({ sessionId }: { sessionId: string }): void {
    this.state.players.set(sessionId, new Player({ name: "", hue: 0, x: 480, y: 300, score: 0 }));
    this.#watched.set(sessionId, { started: false, missing: 0 });
  }

  override onLeave({ sessionId }: { sessionId: string }): void {
    this.state.players.delete(sessionId);
    this.#watched.delete(sessionId);
  }

  #step(seconds: number): void {
    for (const [id, player] of this.state.players) {
      const watched = this.#watched.get(id);
      if (watched === undefined) continue;
      let consumed = 0;
      for (const input of this.inputs.get(id)) {
        move(player, input, seconds);
        consumed++;
      }
      this.#watch(watched, consumed);
    }
  }

  /** As the patch tells it. */
  override onBeforePatch(): void {
    const [first] = this.state.players.values();
    if (first !== undefined && walk.length < MOST_STEPS) walk.push([this.clock.elapsedTime, first.x, first.y]);
  }

  #watch(watched: Watched, consumed: number): void {
    watched.started ||= consumed > 0;
    if (!watched.started) return;
    seen.ticks++;
    seen.inputs += consumed;
    if (consumed > 0) {
      watched.missing = 0;
      return;
    }
    seen.starved++;
    seen.longest = Math.max(seen.longest, ++watched.missing);
  }
}

function report(): ServerReport {
  const { user, system } = process.cpuUsage(cpu);
  const elapsed = performance.now() - since;
  const { inputs, ticks, starved, longest } = seen;
  Object.assign(seen, { inputs: 0, ticks: 0, starved: 0, longest: 0 });
  cpu = process.cpuUsage();
  since = performance.now();
  return {
    event: "report",
    inputs,
    starvedTicks: longest,
    starvedShare: ticks === 0 ? 0 : starved / ticks,
    cpuMsPerSecond: (user + system) / elapsed,
  };
}

const { transport, address, port } = JSON.parse(process.argv[2] ?? "{}") as ServerArguments;
logger.error = logger.info = logger.debug = () => {};
const http = createServer();
const server = defineServer({
  greet: false,
  gracefullyShutdown: false,
  transport:
    transport === "ws"
      ? new WebSocketTransport({ server: http })
      : new SallyportTransport({ server: http, connectivity: false, lan: false, webrtc: true }),
  rooms: { prediction: defineRoom(PredictionRoom) },
});
await server.listen(port, address);
process.stdout.write("listening\n");
createInterface(process.stdin).on("line", (line) => {
  const said = line === "walk" ? ({ event: "walk", walk } satisfies WalkReport) : report();
  process.stdout.write(`${JSON.stringify(said)}\n`);
});
