// A host that waits for friends: a ConnectivityManager whose socket echoes what strangers say, and for whom every line on standard
// input is a player whom a lobby introduces. Prints each change, and the ways to players.
import { createInterface } from "node:readline";
import { ConnectivityManager } from "../../../sdk/src/connectivity/manager/manager.ts";
import { type ConnectivityOptions } from "../../../sdk/src/connectivity/options.ts";
import { candidateToJSON, parseCandidates } from "../../../sdk/src/ice/candidate.ts";
import { parseIceCredentials } from "../../../sdk/src/ice/credentials.ts";

const manager = new ConnectivityManager(JSON.parse(process.argv[2] ?? "{}") as ConnectivityOptions);
const print = (event: string, fields: object): void => console.log(JSON.stringify({ event, ...fields }));
manager.on("change", (reachability) => print("change", reachability));
const { ice } = (manager.bind(), manager);
manager.socket.onDatagram = (data, address, port) => void manager.socket.send(data, port, address);
await manager.open();
for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line) as Record<string, unknown>;
  const remote = parseIceCredentials(message["credentials"]);
  if (remote === null) throw new Error(`no credentials: ${line}`);
  const peer = ice.open({ role: "controlled", remote });
  peer.onPath = (path) => print("path", { path });
  for (const candidate of parseCandidates(message["candidates"])) peer.addRemoteCandidate(candidate);
  print("local", { credentials: peer.localCredentials, candidates: peer.localCandidates.map(candidateToJSON) });
}
