/** The TURN server of the benchmark, in a process of its own. */
import { TurnRelayServer } from "../../../sdk/src/turn/server/relay-server.ts";

const server = await TurnRelayServer.open({
  port: 0,
  address: "127.0.0.1",
  secret: process.argv[2] ?? "",
  relayAddresses: ["127.0.0.1"],
  mayReach: () => true,
  limits: { allocations: 2000, allocationsPerCaller: 2000, allocationsPerUser: 2000, bytesPerSecond: 1e9 },
});
process.send?.(server.port);
