import { expect, test } from "vitest";
import { NETWORK_PRESETS, networkConditions, networkPreset } from "../../../sdk/src/channel/network-presets.ts";

test.each(["mobile", "hotel Wi-Fi", "hotel-wifi", "HotelWifi", "other continent", "other-continent"])("%s", (name) => {
  const preset = networkPreset(name);
  expect(preset).toBeDefined();
  if (preset) expect(networkConditions(preset)).toBe(NETWORK_PRESETS[preset]);
});

test("conditions stand for themselves; a name that there is not says which there are", () => {
  const conditions = { loss: 0.3 };
  expect(networkConditions(conditions)).toBe(conditions);
  expect(networkPreset("dial-up")).toBeUndefined();
  expect(() => networkConditions("dial-up" as "mobile")).toThrow(/mobile, hotel Wi-Fi, other continent/);
});
