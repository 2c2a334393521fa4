import { expect, test } from "vitest";
import { relayedAlone } from "../../../../sdk/src/colyseus/webrtc/relayed-candidates.ts";

const HOME = "203.0.113.9";
const RELAY = "198.51.100.1";
const sdp = (...candidates: string[]): string =>
  ["v=0", `o=- 1 0 IN IP4 ${HOME}`, "s=-", `c=IN IP4 ${HOME}`, ...candidates, "a=end-of-candidates", ""].join("\r\n");
const HOST = `a=candidate:1 1 UDP 2122317823 192.168.1.10 17777 typ host`;
const REFLEXIVE = `a=candidate:2 1 UDP 1686108159 ${HOME} 17777 typ srflx raddr 192.168.1.10 rport 17777`;
const RELAYED = `a=candidate:3 1 UDP 25108479 ${RELAY} 50000 typ relay raddr ${HOME} rport 17777`;

test("who hides names the relay, and no address of the home", () => {
  const hidden = relayedAlone(sdp(HOST, REFLEXIVE, RELAYED));
  expect(hidden?.split("\r\n").filter((line) => line.startsWith("a=candidate:"))).toEqual([
    `a=candidate:3 1 UDP 25108479 ${RELAY} 50000 typ relay raddr 0.0.0.0 rport 0`,
  ]);
  expect(hidden).not.toContain(HOME);
  expect(hidden).not.toContain("192.168.1.10");
});

test("without a relay there is nothing to tell", () => {
  expect(relayedAlone(sdp(HOST, REFLEXIVE))).toBeUndefined();
});
