/** The path that a page tells of, as Chromium and Firefox give it: shapes as seen in Chromium 140 and Firefox ESR. */
import { describe, expect, test } from "vitest";
import { SelectedPath } from "../../../../sdk/src/colyseus/browser/selected-path.ts";
import { formatEndpoint } from "../../../../sdk/src/net/endpoint.ts";

interface Candidate {
  address: string | null;
  port: number | null;
  type: string;
}

/** With `getSelectedCandidatePair`. */
function chromium(local: Candidate, remote: Candidate): RTCPeerConnection {
  const iceTransport = { getSelectedCandidatePair: () => ({ local, remote }), addEventListener: () => {} };
  return { sctp: { transport: { iceTransport } } } as unknown as RTCPeerConnection;
}

/** Without: all is in the statistics. */
function firefox(
  local: Candidate,
  remote: Candidate,
  mark: "transport" | "selected" | "nominated" = "selected",
): RTCPeerConnection {
  const candidate = (id: string, side: string, { address, port, type }: Candidate) =>
    [id, { id, type: `${side}-candidate`, address, port, candidateType: type, protocol: "udp" }] as const;
  const pair = (id: string, marks: object) =>
    [
      id,
      { id, type: "candidate-pair", localCandidateId: "l", remoteCandidateId: "r", state: "failed", ...marks },
    ] as const;
  const marks =
    mark === "selected" ? { selected: true } : mark === "nominated" ? { nominated: true, state: "succeeded" } : {};
  const report = new Map<string, object>([
    [
      "other-pair",
      { id: "other-pair", type: "candidate-pair", localCandidateId: "x", remoteCandidateId: "y", state: "failed" },
    ],
    pair("pair", marks),
    candidate("l", "local", local),
    candidate("r", "remote", remote),
    ...(mark === "transport" ? [["t", { id: "t", type: "transport", selectedCandidatePairId: "pair" }] as const] : []),
  ]);
  return {
    sctp: { transport: { iceTransport: {} } },
    getStats: () => Promise.resolve(report),
  } as unknown as RTCPeerConnection;
}

const host = (address: string | null, port: number | null = 45429): Candidate => ({ address, port, type: "host" });
const CASES: [string, Candidate, Candidate, string][] = [
  ["IPv4, direct", host("192.0.2.1", 1), host("198.51.100.7"), "direct 198.51.100.7:45429"],
  ["IPv6, direct", host("fd00::1", 1), host("fd00::2"), "direct [fd00::2]:45429"],
  [
    "relayed at our side",
    { ...host("192.0.2.9", 9), type: "relay" },
    host("198.51.100.7"),
    "relayed 198.51.100.7:45429",
  ],
  [
    "relayed at theirs, IPv6",
    host("fd00::1", 1),
    { ...host("2001:db8::9"), type: "relay" },
    "relayed [2001:db8::9]:45429",
  ],
  ["punched", host("192.0.2.1", 1), { ...host("198.51.100.7"), type: "srflx" }, "punched 198.51.100.7:45429"],
  [
    "an address that is hidden",
    host(null, 1),
    { ...host("redacted-ip.invalid"), type: "prflx" },
    "punched unknown:45429",
  ],
  ["a name of mDNS", host(null, 1), host("0a1b.local"), "direct unknown:45429"],
  ["nothing known", host(null, 1), host(null, null), "direct unknown:0"],
];

const tell = async (connection: RTCPeerConnection): Promise<string> => {
  const path = new SelectedPath(connection);
  await path.refresh();
  return `${path.kind} ${formatEndpoint(path.remote)}`;
};

describe.each(CASES)("%s", (_what, local, remote, expected) => {
  test("Chromium", async () => {
    expect(await tell(chromium(local, remote))).toBe(expected);
  });

  test("Chromium, which writes IPv6 in brackets", async () => {
    const bracketed = (candidate: Candidate): Candidate =>
      candidate.address?.includes(":") ? { ...candidate, address: `[${candidate.address}]` } : candidate;
    expect(await tell(chromium(bracketed(local), bracketed(remote)))).toBe(expected);
  });

  test.each(["transport", "selected", "nominated"] as const)("Firefox, by its statistics' %s", async (mark) => {
    expect(await tell(firefox(local, remote, mark))).toBe(expected);
  });
});

test("before ICE has found one, and where there is nothing to ask", async () => {
  const empty = { sctp: null, getStats: () => Promise.resolve(new Map()) } as unknown as RTCPeerConnection;
  expect(await tell(empty)).toBe("direct unknown:0");
});

test("says whether the path is another", async () => {
  let remote = host("192.0.2.7");
  const iceTransport = { getSelectedCandidatePair: () => ({ local: host("192.0.2.1"), remote }) };
  const path = new SelectedPath({ sctp: { transport: { iceTransport } } } as unknown as RTCPeerConnection);
  expect([await path.refresh(), await path.refresh()]).toEqual([true, false]);
  remote = host("192.0.2.8");
  expect([await path.refresh(), await path.refresh()]).toEqual([true, false]);
});
