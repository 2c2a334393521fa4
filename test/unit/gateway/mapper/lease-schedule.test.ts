import { expect, test } from "vitest";
import { LeaseSchedule } from "../../../../sdk/src/gateway/mapper/lease-schedule.ts";

const HOUR = 3_600_000;

/** Looks every five minutes, with no chance in it. */
const scheduled = (leftMs: number | undefined): LeaseSchedule => {
  const schedule = new LeaseSchedule(300_000, () => 0.5);
  schedule.onSuccess(0, leftMs, true);
  return schedule;
};

test("looked at every interval; renewed between half and five eighths of the lease", () => {
  const schedule = scheduled(2 * HOUR);
  expect(schedule.waitMs(0)).toBe(300_000);
  expect(schedule.isRenewalDue(0.56 * 2 * HOUR)).toBe(false);
  expect(schedule.isRenewalDue(0.57 * 2 * HOUR)).toBe(true);
});

test("a permanent entry is looked at and never renewed", () => {
  const schedule = scheduled(undefined);
  expect(schedule.waitMs(0)).toBe(300_000);
  expect(schedule.isRenewalDue(1e12)).toBe(false);
});

test("a lease that a look shows to be shorter is renewed sooner; one that it shows to be longer is not put off", () => {
  const schedule = scheduled(2 * HOUR);
  schedule.onSuccess(0, HOUR, false);
  expect(schedule.isRenewalDue(0.57 * HOUR)).toBe(true);
  schedule.onSuccess(0, 10 * HOUR, false);
  expect(schedule.isRenewalDue(0.57 * HOUR)).toBe(true);
});

test("no more than one look a second, whatever presses", () => {
  const schedule = scheduled(HOUR);
  schedule.onLook(10_000);
  expect(schedule.restMs(10_000)).toBe(1000);
  expect(schedule.restMs(11_500)).toBe(0);
});

test("silence: asked again after 4 s, lost at the third time, and at once where the lease has lapsed", () => {
  const schedule = scheduled(HOUR);
  expect(schedule.isSilent).toBe(false);
  expect(schedule.onSilence(1000, HOUR)).toBe(true);
  expect(schedule.waitMs(1000)).toBe(4000);
  expect(schedule.isSilent).toBe(true);
  expect(schedule.onSilence(5000, HOUR)).toBe(true);
  expect(schedule.onSilence(9000, HOUR)).toBe(false);
  expect(scheduled(HOUR).onSilence(2 * HOUR, -1)).toBe(false);
  // An answer in between begins again.
  const other = scheduled(HOUR);
  for (let i = 0; i < 10; i++) {
    expect(other.onSilence(0, HOUR)).toBe(true);
    other.onSuccess(0, HOUR, true);
  }
});

test("a refusal to prolong is tried again while the lease runs, at a quarter of what is left", () => {
  const schedule = scheduled(HOUR);
  expect(schedule.onRefusal(0, HOUR)).toBe(true);
  expect(schedule.isRenewalDue(HOUR / 4 - 1)).toBe(false);
  expect(schedule.onRefusal(0, 3000)).toBe(false);
  expect(schedule.onRefusal(0, undefined)).toBe(false);
});
