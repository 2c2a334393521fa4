import { expect, test } from "vitest";
import { certificateDates } from "../../../sdk/src/net/certificate-dates.ts";
import { messageOf } from "../../../sdk/src/net/message-of.ts";

const failure = (code: string, message = "refused"): Error => Object.assign(new Error(message), { code });
const NOW = Date.UTC(2016, 0, 1, 0, 3, 7);

test.each([
  ["of TLS itself", failure("CERT_NOT_YET_VALID")],
  ["behind fetch's", new TypeError("fetch failed", { cause: failure("CERT_NOT_YET_VALID") })],
  [
    "of several attempts",
    new TypeError("fetch failed", { cause: new AggregateError([failure("CERT_NOT_YET_VALID")]) }),
  ],
])("a certificate of the future names the clock: an error %s", (_, error) => {
  expect(certificateDates(error, NOW)).toBe(
    "its certificate is not valid yet by this computer's clock, which says 2016-01-01T00:03Z: if that is wrong, set the clock",
  );
});

test("one of the past does, and no other error", () => {
  expect(certificateDates(failure("CERT_HAS_EXPIRED"), NOW)).toMatch(
    /^its certificate has expired by this computer's clock/,
  );
  for (const other of [failure("SELF_SIGNED_CERT_IN_CHAIN"), failure("ECONNREFUSED"), "text", null, undefined, 7]) {
    expect(certificateDates(other, NOW)).toBeUndefined();
  }
  const circle = failure("ECONNRESET");
  circle.cause = circle;
  expect(certificateDates(circle, NOW)).toBeUndefined();
});

test("every sentence that is made of an error says so, once", () => {
  const error = new TypeError("fetch failed", { cause: failure("CERT_HAS_EXPIRED") });
  expect(messageOf(error)).toMatch(
    /^fetch failed: its certificate has expired by this computer's clock, which says 20/,
  );
  expect(messageOf(new Error(messageOf(error), { cause: error }))).toBe(messageOf(error));
  expect(messageOf(failure("ECONNREFUSED", "connect ECONNREFUSED"))).toBe("connect ECONNREFUSED");
});
