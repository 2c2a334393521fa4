import type { NetworkConditions } from "./line-model.ts";

/** Names of lines that players really have. */
export type NetworkPreset = "mobile" | "hotel Wi-Fi" | "other continent";

/** Each direction of such a line: a delay of 25 ms makes the round trip 50 ms longer. */
export const NETWORK_PRESETS: Readonly<Record<NetworkPreset, NetworkConditions>> = {
  /** 4G on the move: the delay wanders, losses come in short runs. */
  mobile: { delayMs: 25, jitterMs: 20, loss: 0.02, lossBurst: 2, bytesPerSecond: 625_000 },
  /** Near, and shared by too many: long jitter, runs of losses, a narrow line with a long queue. */
  "hotel Wi-Fi": { delayMs: 10, jitterMs: 40, loss: 0.05, lossBurst: 3, duplicate: 0.005, bytesPerSecond: 125_000 },
  /** A good line to the other side of the world. */
  "other continent": { delayMs: 110, jitterMs: 8, loss: 0.01, reorder: 0.005 },
};

/** As written: `hotel Wi-Fi`, `hotel-wifi`, `HotelWifi`. @returns undefined where there is no such preset */
export function networkPreset(name: string): NetworkPreset | undefined {
  const bare = bareName(name);
  return (Object.keys(NETWORK_PRESETS) as NetworkPreset[]).find((preset) => bareName(preset) === bare);
}

/** @throws RangeError for a name that there is not */
export function networkConditions(line: NetworkConditions | NetworkPreset): NetworkConditions {
  if (typeof line !== "string") return line;
  const preset = networkPreset(line);
  if (preset !== undefined) return NETWORK_PRESETS[preset];
  throw new RangeError(`There is no line "${line}"; there are ${Object.keys(NETWORK_PRESETS).join(", ")}.`);
}

function bareName(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z]/g, "");
}
