// A stranger who takes seats, in rooms that are there and in new ones, and never sits down: as fast as it is answered, until it is ended.
import { Agent, request } from "node:http";

export interface SeatsArgs {
  address: string;
  port: number;
  /** Of matchmaking: `joinOrCreate`, `create`. */
  methods: readonly string[];
  room: string;
}

const AT_ONCE = 16;

const { address, port, methods, room } = JSON.parse(process.argv[2] ?? "{}") as SeatsArgs;
const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
const statuses: Record<string, number> = {};

function take(method: string): Promise<void> {
  return new Promise((resolve) => {
    const asked = request({
      host: address,
      port,
      agent,
      method: "POST",
      path: `/matchmake/${method}/${room}`,
      headers: { "content-type": "application/json" },
    });
    asked.on("error", () => setTimeout(resolve, 10));
    asked.on("response", (response) => {
      statuses[String(response.statusCode)] = (statuses[String(response.statusCode)] ?? 0) + 1;
      response.resume().on("close", resolve);
    });
    asked.end("{}");
  });
}

for (let worker = 0; worker < AT_ONCE; worker++) {
  void (async () => {
    for (let n = worker; ; n++) await take(methods[n % methods.length] ?? "");
  })();
}
setInterval(() => console.log(JSON.stringify({ event: "taken", statuses })), 1_000);
