import { describe, expect, test } from "vitest";
import {
  type IntroductionBudget,
  PER_DESTINATION,
  PER_INTRODUCTION,
  PER_PROCESS,
  UnansweredBudget,
} from "../../../sdk/src/net/unanswered-budget.ts";
import { UnprovenAddress } from "../../../sdk/src/net/unproven-address.ts";

/** As many as go. */
function spend(budget: IntroductionBudget, address: (n: number) => string, now = 0): number {
  let count = 0;
  while (count < 10_000 && budget.take(address(count), 100, now)) count++;
  return count;
}

describe("the budget of unanswered packets", () => {
  test("to one destination is one for all introductions, and an IPv6 /64 is one destination", () => {
    const budget = new UnansweredBudget();
    const one = budget.introduction();
    expect(spend(one, () => "9.9.9.9")).toBe(PER_DESTINATION.burst);
    expect(budget.introduction().take("9.9.9.9", 100, 0)).toBe(false);
    expect(spend(one, () => "9.9.9.9", 1_000)).toBe(PER_DESTINATION.perSecond);
    expect(spend(budget.introduction(), (n) => `2a11:0:0:1::${(n + 1).toString(16)}`)).toBe(PER_DESTINATION.burst);
  });

  test("of one introduction, whatever it names; and it leaves to others what it may not take", () => {
    const budget = new UnansweredBudget();
    const greedy = budget.introduction();
    expect(spend(greedy, (n) => `9.9.${n >> 8}.${n & 255}`)).toBe(PER_INTRODUCTION.burst);
    for (let i = 0; i < PER_DESTINATION.burst; i++) expect(greedy.take("8.8.8.8", 100, 0)).toBe(false);
    expect(spend(budget.introduction(), () => "8.8.8.8")).toBe(PER_DESTINATION.burst);
  });

  test("of the process, however many introductions", () => {
    const budget = new UnansweredBudget();
    let all = 0;
    for (let i = 0; i < 20; i++) all += spend(budget.introduction(), (n) => `9.${i}.${n >> 8}.${n & 255}`);
    expect(all).toBe(PER_PROCESS.burst);
  });

  test("is not asked of a destination that has answered, until that is long ago", () => {
    const budget = new UnansweredBudget();
    const [known, other] = [budget.introduction(), budget.introduction()];
    known.answered("9.9.9.9", 0);
    expect(spend(other, () => "9.9.9.9")).toBe(PER_INTRODUCTION.burst);
    expect([known.hasAnswered("9.9.9.9"), other.hasAnswered("9.9.9.9")]).toEqual([true, false]);
    expect(spend(budget.introduction(), () => "9.9.9.9", 3_600_000)).toBe(PER_DESTINATION.burst);
  });

  test("is three bytes for each that the peer said, where that is counted", () => {
    const said = new UnprovenAddress();
    const budget = new UnansweredBudget().introduction(said);
    expect(spend(budget, () => "9.9.9.9")).toBe(0);
    budget.heard(1_000);
    expect(spend(budget, () => "9.9.9.9")).toBe(30);
    budget.heard(100);
    expect(spend(budget, (n) => `8.8.8.${n}`)).toBe(3);
    // What has answered is nobody's word.
    budget.answered("9.9.9.9", 0);
    expect(spend(budget, () => "9.9.9.9")).toBe(PER_INTRODUCTION.burst - 33);
  });
});
