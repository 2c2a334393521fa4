// One side of an ICE session, for ice.test.ts: prints its own candidates, reads the other's from standard input, then says
// a number every 50 ms and prints which way it goes and what it hears.
import { networkInterfaces } from "node:os";
import { createInterface } from "node:readline";
import { candidatePriority, candidateToJSON, localCandidate, parseCandidates } from "../../sdk/src/ice/candidate.ts";
import { type IceCredentials, parseIceCredentials } from "../../sdk/src/ice/credentials.ts";
import { IceMux } from "../../sdk/src/ice/mux.ts";
import { guessPorts, type PortGuessingOptions } from "../../sdk/src/ice/port-guessing.ts";
import type { Endpoint } from "../../sdk/src/net/endpoint.ts";
import { UDPSocket } from "../../sdk/src/net/udp-socket.ts";
import { StunBuilder } from "../../sdk/src/stun/builder.ts";
import { stunBinding } from "../../sdk/src/stun/client.ts";
import { StunAttribute, StunMethod } from "../../sdk/src/stun/constants.ts";
import { openTurnRelay } from "../../sdk/src/turn/open.ts";

const { stun, turn, role } = JSON.parse(process.argv[2] ?? "{}") as {
  stun: string;
  /** URLs of RFC 7065; the user is lab, and so is the credential. */
  turn?: string[];
  role: "controlling" | "controlled";
};
const print = (event: string, fields: object = {}): void => console.log(JSON.stringify({ event, ...fields }));

const socket = UDPSocket.open({ port: 7777 });
const mux = new IceMux(socket);
for (const { address, internal, family } of Object.values(networkInterfaces()).flatMap((each) => each ?? [])) {
  if (internal || family !== "IPv4") continue;
  mux.addLocalCandidate(localCandidate("host", { address, port: socket.localPort }));
}
async function reflexive(): Promise<void> {
  const [answer] = await stunBinding(socket, [stun]);
  if (answer?.mapped !== undefined) mux.addLocalCandidate(localCandidate("reflexive", answer.mapped, { server: stun }));
}
async function relayed(urls: string[]): Promise<void> {
  const relay = await openTurnRelay({ socket, servers: [{ urls, username: "lab", credential: "lab" }] });
  mux.addRelay(relay);
}
await Promise.all([reflexive(), turn === undefined ? undefined : relayed(turn)]);
const peer = mux.open({ role });
peer.onPath = (path) => print("path", { path });
peer.onState = (state) => print("state", { state });
let heard = 0;
let heardAt = performance.now();
let longest = 0;
peer.onData = () => {
  longest = Math.max(longest, performance.now() - heardAt);
  heardAt = performance.now();
  if (heard++ === 0) print("first");
};
let remote: IceCredentials | undefined;
let count = 0;
setInterval(() => peer.send(Buffer.from(String(count++))), 50);

/** An authentic check, sent from another socket, whose packets the test gives another source. */
function forge(remote: IceCredentials, port: number, to: Endpoint): void {
  const check = new StunBuilder(StunMethod.BINDING, "request")
    .text(StunAttribute.USERNAME, `${remote.ufrag}:${peer.localCredentials.ufrag}`)
    .uint32(StunAttribute.PRIORITY, candidatePriority("peer-reflexive"))
    .uint64(StunAttribute.ICE_CONTROLLING, 1n)
    .flag(StunAttribute.USE_CANDIDATE)
    .integrity(Buffer.from(remote.password))
    .fingerprint()
    .build();
  forging ??= UDPSocket.open({ port });
  forging.send(check, to.port, to.address);
  print("forged", { bytes: check.length });
}
let forging: UDPSocket | undefined;

const local = (): void =>
  print("local", { credentials: peer.localCredentials, candidates: peer.localCandidates.map(candidateToJSON) });
local();
for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line) as Record<string, unknown>;
  const credentials = parseIceCredentials(message["credentials"]);
  if (credentials !== null) peer.setRemoteCredentials((remote = credentials));
  if (message["do"] === "forge" && remote) forge(remote, message["port"] as number, message["to"] as Endpoint);
  for (const candidate of parseCandidates(message["candidates"])) peer.addRemoteCandidate(candidate);
  if (message["do"] === "guess") {
    const { ours, theirs, remote } = message as unknown as Pick<PortGuessingOptions, "ours" | "theirs" | "remote">;
    void guessPorts(mux, peer, { ours, theirs, remote }).then((found) => print("guessed", { found }));
  }
  if (message["do"] === "networkChanged") peer.networkChanged();
  if (message["do"] === "report") {
    print("report", { path: peer.path, heard, longest: Math.max(longest, performance.now() - heardAt), sent: count });
    longest = 0;
  }
}
