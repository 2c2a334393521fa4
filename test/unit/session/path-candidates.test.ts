import { describe, expect, test } from "vitest";
import { UnprovenAddress } from "../../../sdk/src/net/unproven-address.ts";
import type { NetcodeServerClient } from "../../../sdk/src/netcode/types.ts";
import { CANDIDATE_MS, PathCandidates } from "../../../sdk/src/session/path-candidates.ts";
import { isPathPacket, newChallenge, PATH_PACKET_BYTES, responseTo } from "../../../sdk/src/session/path-packet.ts";

const random = (bytes: Uint8Array): void => void bytes.fill(0x5a);
const someone = (): NetcodeServerClient => ({}) as NetcodeServerClient;
const PORT = 1000;

describe("an address that has not proved itself", () => {
  test("is sent three times what came from it, to the byte", () => {
    const address = new UnprovenAddress();
    expect(address.take(1)).toBe(false);
    address.received(10);
    expect(address.take(31)).toBe(false);
    expect(address.take(29)).toBe(true);
    expect(address.take(2)).toBe(false);
    expect(address.take(1)).toBe(true);
    expect(address.take(1)).toBe(false);
    address.received(1);
    expect(address.take(3)).toBe(true);
    expect(address.take(1)).toBe(false);
  });
});

describe("packets of path validation", () => {
  test("are these bytes", () => {
    const challenge = newChallenge((bytes) => bytes.set([1, 2, 3, 4, 5, 6, 7, 8]));
    expect([...challenge]).toEqual([0xc0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect([...(responseTo(challenge) ?? [])]).toEqual([0xc1, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("no other length, and no response, is answered; what begins so is never the channel's", () => {
    for (const length of [0, 1, 8, 10, 1200]) {
      expect(responseTo(new Uint8Array(length).fill(0xc0))).toBeNull();
    }
    for (let first = 0; first < 256; first++) {
      const payload = new Uint8Array(PATH_PACKET_BYTES).fill(first);
      expect(isPathPacket(payload)).toBe(first >= 0xc0);
      expect(responseTo(payload) !== null).toBe(first === 0xc0);
    }
    expect(isPathPacket(new Uint8Array(0))).toBe(false);
  });
});

describe("candidates", () => {
  test("few for each client: the one that was heard longest ago goes", () => {
    const candidates = new PathCandidates(random);
    const client = someone();
    const at = (n: number): ReturnType<PathCandidates["get"]> => candidates.get(`10.0.0.${n}`, PORT, 50);
    for (let n = 0; n < 4; n++) candidates.add(client, `10.0.0.${n}`, PORT, n).heard(30, n);
    at(0)?.heard(30, 10);
    candidates.add(client, "10.0.0.4", PORT, 11);
    expect(candidates.count(client)).toBe(4);
    expect([0, 1, 2, 3, 4].filter((n) => at(n))).toEqual([0, 2, 3, 4]);
    for (let n = 0; n < 500; n++) candidates.add(client, `10.1.0.${n}`, PORT, 100 + n);
    expect(candidates.count()).toBe(4);
    candidates.forget(client);
    expect([candidates.count(), candidates.get("10.1.0.499", PORT, 600)]).toEqual([0, undefined]);
  });

  test("two clients are not at one address: the last has it", () => {
    const candidates = new PathCandidates(random);
    const [one, other] = [someone(), someone()];
    candidates.add(one, "10.0.0.1", PORT, 0);
    const last = candidates.add(other, "10.0.0.1", PORT, 1);
    expect(candidates.get("10.0.0.1", PORT, 2)).toBe(last);
    expect([candidates.count(one), candidates.count(other)]).toEqual([0, 1]);
    candidates.forget(one);
    expect(candidates.get("10.0.0.1", PORT, 2)).toBe(last);
  });

  test("none for long", () => {
    const candidates = new PathCandidates(random);
    candidates.add(someone(), "10.0.0.1", PORT, 0);
    expect(candidates.get("10.0.0.1", PORT, CANDIDATE_MS - 1)).toBeDefined();
    expect(candidates.get("10.0.0.1", PORT, CANDIDATE_MS)).toBeUndefined();
    expect(candidates.count()).toBe(0);
  });

  test("are asked within what came from there, not again at once, and not once they have answered", () => {
    const candidates = new PathCandidates(random);
    const candidate = candidates.add(someone(), "10.0.0.1", PORT, 0);
    expect(candidate.takeChallenge(0)).toBe(false);
    candidate.heard(11, 0);
    // 33 bytes may be sent, and a question takes up to 34.
    expect(candidate.takeChallenge(0)).toBe(false);
    candidate.heard(12, 0);
    expect(candidate.takeChallenge(0)).toBe(true);
    expect(candidate.takeChallenge(49)).toBe(false);
    expect(candidate.takeChallenge(50)).toBe(true);
    // 69 of 69.
    expect(candidate.takeChallenge(100)).toBe(false);
    candidate.heard(100, 100);
    expect(candidate.takeChallenge(100)).toBe(true);
    const response = responseTo(candidate.challenge) as Uint8Array;
    for (let bit = 0; bit < 8 * PATH_PACKET_BYTES; bit++) {
      const wrong = response.slice();
      wrong[bit >> 3] = (wrong[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      candidate.answer(wrong);
    }
    candidate.answer(response.subarray(0, 8));
    candidate.answer(candidate.challenge);
    expect(candidate.proven).toBe(false);
    candidate.answer(response);
    expect(candidate.proven).toBe(true);
    expect(candidate.takeChallenge(1000)).toBe(false);
  });

  test("each has a question of its own", () => {
    let next = 0;
    const candidates = new PathCandidates((bytes) => bytes.fill(next++));
    const client = someone();
    const one = candidates.add(client, "10.0.0.1", PORT, 0);
    const other = candidates.add(client, "10.0.0.2", PORT, 0);
    const again = candidates.add(client, "10.0.0.1", PORT, 0);
    other.answer(responseTo(one.challenge) as Uint8Array);
    again.answer(responseTo(one.challenge) as Uint8Array);
    expect([other.proven, again.proven]).toEqual([false, false]);
  });
});
