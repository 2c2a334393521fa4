import * as fc from "fast-check";
import { expect, test } from "vitest";
import { IceAgent } from "../../../sdk/src/ice/agent.ts";
import { type CandidateType, candidatePriority, localCandidate } from "../../../sdk/src/ice/candidate.ts";
import { newIceCredentials } from "../../../sdk/src/ice/credentials.ts";
import { StunBuilder } from "../../../sdk/src/stun/builder.ts";
import { StunAttribute, StunMethod } from "../../../sdk/src/stun/constants.ts";
import { StunMessage } from "../../../sdk/src/stun/message.ts";

const numRuns = Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 200);

const ours = { ufrag: "ours", password: "our password of 22 or more" };
const theirs = { ufrag: "them", password: "their password of 22 or more" };

interface Sent {
  data: Uint8Array;
  via: string;
  address: string;
  port: number;
}

function newAgent(sent: Sent[]): IceAgent {
  return new IceAgent(
    { role: "controlling", local: ours, remote: theirs, maxPairs: 20, maxCandidates: 8 },
    { send: (data, via, address, port) => sent.push({ data, via, address, port }) },
  );
}

const address = fc.integer({ min: 1, max: 40 }).map((n) => (n % 4 === 0 ? `2a11::${n}` : `9.9.9.${n}`));
const port = fc.integer({ min: 1, max: 3 });
const via = fc.constantFrom("socket", "relay");
const elapsed = fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 60_000 }));

const step = fc.oneof(
  fc.record({ do: fc.constant("local" as const), via, address, port }),
  fc.record({ do: fc.constant("removeLocal" as const), via, address, port }),
  fc.record({
    do: fc.constant("remote" as const),
    type: fc.constantFrom("host", "reflexive", "relayed"),
    address,
    port,
  }),
  fc.record({ do: fc.constant("answer" as const), index: fc.nat(), kind: fc.constantFrom("success", 487, 400) }),
  fc.record({
    do: fc.constant("check" as const),
    via,
    address,
    port,
    nominate: fc.boolean(),
    controlling: fc.boolean(),
    tieBreaker: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  }),
  fc.record({ do: fc.constant("junk" as const), data: fc.uint8Array({ maxLength: 200 }) }),
  fc.record({ do: fc.constantFrom("pass", "networkChanged", "probe", "restart", "end") }),
);

test("whatever a peer and a network do, the agent keeps its caps and its timer goes forward", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(elapsed, step), { maxLength: 60 }), (steps) => {
      const sent: Sent[] = [];
      const agent = newAgent(sent);
      let now = 0;
      let credentials = ours;
      for (const [ms, action] of steps) {
        now += ms;
        switch (action.do) {
          case "local":
          case "removeLocal": {
            const candidate = localCandidate(action.via === "relay" ? "relayed" : "host", action, { via: action.via });
            if (action.do === "local") agent.addLocalCandidate(candidate, now);
            else agent.removeLocalCandidate(candidate, now);
            break;
          }
          case "remote": {
            const type = action.type as CandidateType;
            agent.addRemoteCandidate({ ...action, type, priority: candidatePriority(type), foundation: "1" }, now);
            break;
          }
          case "answer": {
            const requests = sent.filter(({ data }) => StunMessage.decode(data)?.class === "request");
            const request = requests[action.index % Math.max(1, requests.length)];
            if (request === undefined) break;
            const id = request.data.slice(8, 20);
            const builder =
              typeof action.kind === "number"
                ? new StunBuilder(StunMethod.BINDING, "error", id).errorCode(action.kind, "no")
                : new StunBuilder(StunMethod.BINDING, "success", id).xorAddress(StunAttribute.XOR_MAPPED_ADDRESS, {
                    address: "9.9.9.1",
                    port: 1,
                  });
            const data = builder.integrity(Buffer.from(theirs.password)).fingerprint().build();
            agent.receive(data, request.via, request.address, request.port, now);
            break;
          }
          case "check": {
            const builder = new StunBuilder(StunMethod.BINDING, "request")
              .text(StunAttribute.USERNAME, `${credentials.ufrag}:${theirs.ufrag}`)
              .uint32(StunAttribute.PRIORITY, candidatePriority("peer-reflexive"))
              .uint64(
                action.controlling ? StunAttribute.ICE_CONTROLLING : StunAttribute.ICE_CONTROLLED,
                action.tieBreaker,
              );
            if (action.nominate) builder.flag(StunAttribute.USE_CANDIDATE);
            const data = builder.integrity(Buffer.from(credentials.password)).fingerprint().build();
            agent.receive(data, action.via, action.address, action.port, now);
            break;
          }
          case "junk":
            expect(agent.receive(action.data, "socket", "9.9.9.1", 1, now)).toBe(false);
            break;
          case "restart":
            credentials = newIceCredentials();
            agent.restart(credentials, now);
            agent.setRemoteCredentials(theirs, now);
            break;
          case "networkChanged":
            agent.networkChanged(now);
            break;
          case "probe":
            agent.probe(now);
            break;
          case "end":
            agent.endOfCandidates();
            break;
          case "pass":
        }
        const before = agent.counters.checksSent;
        agent.update(now);
        expect(agent.counters.checksSent - before).toBeLessThanOrEqual(1);
        expect(agent.nextUpdate(now)).toBeGreaterThan(now);
        expect(agent.pairs().length).toBeLessThanOrEqual(20);
        expect(agent.path === null).toBe(agent.state !== "connected");
        const selected = agent.pairs().filter((pair) => pair.selected);
        if (agent.path !== null && selected.length > 0) expect(selected[0]?.state).toBe("succeeded");
      }
      agent.close();
      const count = sent.length;
      agent.update(now + 1000);
      expect(sent).toHaveLength(count);
    }),
    { numRuns },
  );
});

test("a check with any byte changed is not taken", () => {
  const data = new StunBuilder(StunMethod.BINDING, "request")
    .text(StunAttribute.USERNAME, "ours:them")
    .uint32(StunAttribute.PRIORITY, candidatePriority("peer-reflexive"))
    .uint64(StunAttribute.ICE_CONTROLLED, 1n)
    .integrity(Buffer.from(ours.password))
    .fingerprint()
    .build();
  for (let i = 0; i < data.length; i++) {
    for (const bit of [1, 128]) {
      const sent: Sent[] = [];
      const agent = newAgent(sent);
      const changed = Buffer.from(data);
      changed[i] = (changed[i] ?? 0) ^ bit;
      expect(agent.receive(changed, "socket", "9.9.9.9", 9, 0)).toBe(false);
      expect(sent).toEqual([]);
    }
  }
  const sent: Sent[] = [];
  expect(newAgent(sent).receive(data, "socket", "9.9.9.9", 9, 0)).toBe(true);
  expect(sent.length).toBeGreaterThan(0);
});
