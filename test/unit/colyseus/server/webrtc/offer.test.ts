import * as fc from "fast-check";
import { expect, test } from "vitest";
import { completeAnswer } from "../../../../../sdk/src/colyseus/server/webrtc/answer.ts";
import {
  formatOffer,
  type Offer,
  parseOffer,
  triedCandidates,
} from "../../../../../sdk/src/colyseus/server/webrtc/offer.ts";
import { parseWebRTCRequest } from "../../../../../sdk/src/colyseus/server/webrtc/request.ts";
import { CHROMIUM, FIREFOX } from "./offers.ts";

const numRuns = Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 1000);
const known = (sdp: string): Offer => parseOffer(sdp) ?? expect.unreachable();

test("reads a browser's offer: no names that would have to be looked up, no TCP", () => {
  const { candidates, ...rest } = known(CHROMIUM);
  expect(rest).toMatchObject({ mid: "0", iceUfrag: "Wd6G", icePwd: "nqI3Dn1/4wTbmPmWZ+MZwEkX", sctpPort: 5000 });
  expect(candidates).toEqual([
    { type: "srflx", priority: 1677729535, address: "1.2.3.4", port: 54321 },
    { type: "host", priority: 2122260223, address: "192.168.1.5", port: 54321 },
  ]);
  expect(known(FIREFOX)).toMatchObject({ iceUfrag: "5b7f0a1c", maxMessageSize: 1073741823, candidates: [] });
});

test("a name is no address, however much it looks like one", () => {
  const named = CHROMIUM.replace("192.168.1.5 54321", "dead.beef 54321");
  expect(known(named).candidates.map(({ address }) => address)).toEqual(["1.2.3.4"]);
});

test("writes what it has read, and nothing else", () => {
  for (const sdp of [CHROMIUM, FIREFOX]) {
    const offer = known(sdp);
    const written = formatOffer(offer);
    expect(parseOffer(written)).toEqual({ ...offer, bytes: written.length });
    expect(written).not.toMatch(/mozilla|extmap|\.local|tcp/i);
  }
});

test("checks are sent to public addresses and to whoever asked, never to another machine in the house", () => {
  const offer = known(CHROMIUM);
  const tried = (asker: string, candidates = offer.candidates, bytes = offer.bytes): string[] =>
    triedCandidates({ ...offer, candidates, bytes }, asker).map(({ address }) => address);
  expect(tried("192.168.1.9")).toEqual(["1.2.3.4"]);
  expect(tried("192.168.1.5")).toEqual(["1.2.3.4", "192.168.1.5"]);
  const many = Array.from({ length: 30 }, (_, i) => ({
    type: "host" as const,
    priority: 1,
    address: `8.8.8.${i}`,
    port: 9,
  }));
  expect(tried("", many).length).toBe(4);
  // Five checks of some hundred bytes each go to one: three bytes for one at most.
  expect(tried("", many, 400).length).toBe(2);
  expect(tried("", many, 100)).toEqual([]);
});

test.each<[string, (sdp: string) => string]>([
  ["nothing", () => ""],
  ["no version", (sdp) => sdp.slice(5)],
  ["no fingerprint", (sdp) => sdp.replace(/a=fingerprint.*\r\n/, "")],
  ["a weak fingerprint", (sdp) => sdp.replace("sha-256", "sha-1")],
  ["a short fingerprint", (sdp) => sdp.replace(":CE:0A", "")],
  ["no password", (sdp) => sdp.replace(/a=ice-pwd.*\r\n/, "")],
  ["a short password", (sdp) => sdp.replace(/a=ice-pwd:.*/, "a=ice-pwd:short")],
  ["a name with a line's end", (sdp) => sdp.replace("Wd6G", "Wd6G\nm=audio 9 UDP/TLS/RTP/SAVPF 0")],
  ["sound beside the data", (sdp) => `${sdp}m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n`],
  ["port 0", (sdp) => sdp.replace("sctp-port:5000", "sctp-port:0")],
  ["too many lines", (sdp) => sdp + "a=x\r\n".repeat(200)],
])("refuses an offer with %s", (_what, change) => {
  expect(parseOffer(change(CHROMIUM))).toBeNull();
});

test("whatever is offered, nothing is thrown, and what is written can be read", () => {
  const mutated = fc
    .tuple(fc.constantFrom(CHROMIUM, FIREFOX), fc.nat(), fc.nat({ max: 40 }), fc.string({ maxLength: 60 }))
    .map(([sdp, at, cut, insert]) => {
      const place = at % sdp.length;
      return sdp.slice(0, place) + insert + sdp.slice(place + cut);
    });
  fc.assert(
    fc.property(fc.oneof(fc.string({ maxLength: 400 }), mutated), (sdp) => {
      const offer = parseOffer(sdp);
      if (offer === null) return;
      const written = formatOffer(offer);
      expect(written).toMatch(/^[\r\n -~]*$/);
      expect(parseOffer(written)).toEqual({ ...offer, bytes: written.length });
      expect(written.match(/^m=/gm)?.length).toBe(1);
    }),
    { numRuns },
  );
});

test("a request needs a seat and an offer", () => {
  const seat = { roomId: "room", sessionId: "session" };
  expect(parseWebRTCRequest({ ...seat, offer: CHROMIUM })).toMatchObject({ seat, offer: { mid: "0" } });
  for (const request of [null, {}, seat, { offer: CHROMIUM }, { ...seat, offer: 7 }, { ...seat, offer: "v=0" }]) {
    expect(parseWebRTCRequest(request)).toBeNull();
  }
});

test("an answer tells the ladder's addresses in place of the interfaces', best first, and keeps what servers told", () => {
  const answer = [
    "v=0",
    "m=application 45000 UDP/DTLS/SCTP webrtc-datachannel",
    "a=mid:0",
    "a=candidate:1 1 UDP 2114977791 172.17.0.1 45000 typ host",
    "a=candidate:2 1 UDP 1678769919 1.2.3.4 45000 typ srflx raddr 0.0.0.0 rport 0",
    "a=end-of-candidates",
    "",
  ].join("\r\n");
  const completed = completeAnswer(answer, [
    { type: "host", address: "192.168.1.2", port: 45000 },
    { type: "host", address: "2001:db8::2", port: 45000 },
    { type: "host", address: "192.168.1.2", port: 45000 },
    { type: "srflx", address: "1.2.3.4", port: 7 },
  ]);
  const lines = completed.split("\r\n");
  expect(lines.filter((line) => line.startsWith("a=candidate"))).toEqual([
    "a=candidate:2 1 UDP 1678769919 1.2.3.4 45000 typ srflx raddr 0.0.0.0 rport 0",
    "a=candidate:s0 1 UDP 2130706431 192.168.1.2 45000 typ host",
    "a=candidate:s1 1 UDP 2130706175 2001:db8::2 45000 typ host",
    "a=candidate:s2 1 UDP 1694498303 1.2.3.4 7 typ srflx raddr 0.0.0.0 rport 0",
  ]);
  expect(lines.slice(-2)).toEqual(["a=end-of-candidates", ""]);
  const crowd = Array.from({ length: 50 }, (_, i) => ({ type: "host" as const, address: `192.0.2.${i}`, port: 1 }));
  expect(completeAnswer(answer, crowd).match(/typ host/g)?.length).toBe(12);
});
