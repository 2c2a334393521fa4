// An invited player who means harm: it names somebody else's address as its own, and says "guess" whenever that may help. Prints what it
// said, in bytes, when it has tried for so long.
import { randomInt } from "node:crypto";
import { candidateToJSON, type IceCandidate, localCandidate } from "../../../sdk/src/ice/candidate.ts";
import { newIceCredentials } from "../../../sdk/src/ice/credentials.ts";
import { IceMux } from "../../../sdk/src/ice/mux.ts";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { introduce } from "../../../sdk/src/rendezvous/guest/introduce.ts";
import type { Introduction } from "../../../sdk/src/rendezvous/sealed/introduction.ts";
import { type InviteTunnelMessage, parseInviteTunnelMessage } from "../../../sdk/src/rendezvous/wire/invite-tunnel.ts";
import { openTurnRelay } from "../../../sdk/src/turn/open.ts";

export interface SteererArgs {
  invite: string;
  /** Who gets the packets. */
  victim: string;
  /** `ice`: by candidates alone; `guess`: also by guessing; `relayed`: the same, with a path over a relay that really works. */
  by: "ice" | "guess" | "relayed";
  /** What it says its NAT is: then the host opens ports, or tries them. */
  symmetric: boolean;
  introductions: number;
  seconds: number;
}

export interface Steered extends Record<string, unknown> {
  event: "steered";
  /** Said to the host, before it was sealed, and sent over relays. */
  bytes: number;
}

const { invite, victim, by, symmetric, introductions, seconds } = JSON.parse(process.argv[2] ?? "{}") as SteererArgs;
const PATHS = 8;
const CANDIDATES = 32;
const GUESS_EVERY_MS = 4_000;
let bytes = 0;

/** As short as may be: without the pad that earns checks. */
function say(introduction: Introduction, message: InviteTunnelMessage): void {
  const candidates = "candidates" in message ? { candidates: message.candidates.map(candidateToJSON) } : {};
  const encoded = Buffer.from(JSON.stringify({ ...message, ...candidates }));
  if (introduction.send(encoded)) bytes += encoded.length;
}

/** So many ports of the victim's. */
function victims(count: number): IceCandidate[] {
  return Array.from({ length: count }, () =>
    localCandidate("reflexive", { address: victim, port: randomInt(1024, 65536) }),
  );
}

/** The last path is one that works, over a relay alone. */
async function relay(introduction: Introduction, id: number): Promise<void> {
  const socket = UDPSocket.open();
  const mux = new IceMux(socket);
  const relayed = await openTurnRelay({ socket, servers: introduction.servers.turn });
  const send = relayed.send.bind(relayed);
  relayed.send = (data, address, port) => {
    bytes += data.length;
    return send(data, address, port);
  };
  const candidate = mux.addRelay(relayed);
  // It asks by its relay and lets the host do so: no way is direct.
  const peer = mux.open({ role: "controlling", allowRemote: ({ type }) => type === "relayed" });
  introduction.onMessage((data) => {
    const message = parseInviteTunnelMessage(data);
    if (message?.type === "path" && message.id === id) peer.setRemoteCredentials(message.ice);
    if (message?.type !== "path" && message?.type !== "candidates") return;
    if (message.id === id) for (const each of message.candidates) peer.addRemoteCandidate(each);
  });
  say(introduction, { type: "path", id, ice: peer.localCredentials, candidates: [...victims(2), candidate] });
}

for (let n = 0; n < introductions; n++) {
  const introduction = await introduce(invite);
  const paths = by === "relayed" ? 1 : PATHS;
  for (let id = 1; id <= paths; id++) {
    if (by === "relayed") await relay(introduction, id);
    else {
      const candidates = victims(by === "ice" ? CANDIDATES : 1);
      say(introduction, { type: "path", id, ice: newIceCredentials(), candidates });
    }
  }
  if (by === "ice") continue;
  const filtering = "address-and-port-dependent";
  const mapping = symmetric ? filtering : "endpoint-independent";
  for (let id = 1; id <= paths; id++) say(introduction, { type: "nat", id, mapping, filtering });
  const guess = (): void => {
    for (let id = 1; id <= paths; id++) say(introduction, { type: "guess", id });
  };
  guess();
  setInterval(guess, GUESS_EVERY_MS);
}
console.log(JSON.stringify({ event: "began" }));
setTimeout(() => {
  console.log(JSON.stringify({ event: "steered", bytes } satisfies Steered));
  process.exit();
}, seconds * 1000);
