/**
 * `npm run relays:check`: asks every relay and STUN server of the package's lists, from a machine with internet. It belongs to a release:
 * what no longer answers is taken out of the list, and the date beside the list is renewed.
 */
import { randomBytes } from "node:crypto";
import { systemClock } from "./dist/net/clock.js";
import { UDPSocket } from "./dist/net/udp-socket.js";
import { whileAwaited } from "./dist/net/wait.js";
import { checkRelay } from "./dist/rendezvous/mailbox/check.js";
import { DEFAULT_RELAYS, DEFAULT_STUN_SERVERS } from "./dist/rendezvous/mailbox/relay-list.js";
import { openNodeSocket } from "./dist/rendezvous/mailbox/socket-node.js";
import { stunBinding } from "./dist/stun/client.js";

/** Of five relays that a host holds, two must be there nearly always. */
const WANTED_SHARE = 0.6;
const STUN_TIMEOUT_MS = 3000;

const options = { openSocket: openNodeSocket, clock: systemClock, random: randomBytes };
const checks = await whileAwaited(Promise.all(DEFAULT_RELAYS.map((url) => checkRelay(url, options))));
for (const { url, readyMs = 0, echoMs = 0, problem } of checks) {
  console.log(problem === undefined ? `✓ ${Math.round(readyMs + echoMs)} ms  ${url}` : `✗ ${url}: ${problem}`);
}
const socket = UDPSocket.open({});
let stun = 0;
await stunBinding(socket, DEFAULT_STUN_SERVERS, {
  timeoutMs: STUN_TIMEOUT_MS,
  onOutcome: ({ server, mapped, rttMs }) => {
    if (mapped) stun++;
    console.log(mapped ? `✓ ${Math.round(rttMs ?? 0)} ms  ${server}` : `✗ ${server}: no answer`);
  },
});
await socket.close();
const good = checks.filter(({ problem }) => problem === undefined).length;
console.log(`${good} of ${checks.length} relays and ${stun} of ${DEFAULT_STUN_SERVERS.length} STUN servers answer.`);
if (good === 0 && stun === 0)
  console.log("None at all: this machine is offline, or its network lets neither out. That says nothing of the lists.");
process.exitCode = good < WANTED_SHARE * checks.length || stun < 2 ? 1 : 0;
