/** What share and join say alike. */
import type { SessionPathKind } from "../session/path.ts";

const PATHS: Readonly<Record<SessionPathKind, string>> = {
  direct: "directly connected",
  punched: "directly connected, through both routers",
  relayed: "connected through a relay, as no direct path was found",
};

export function describePath(path: SessionPathKind): string {
  return PATHS[path];
}

/** What both ends count of a session. */
interface Traffic {
  readonly rttMs: number;
  readonly loss: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly datagramsOut: number;
  readonly fragmented: number;
}

/** Bytes per second, from what was counted at the last look. */
export class Rates {
  readonly #before = new Map<number, { bytesIn: number; bytesOut: number; at: number }>();

  /** @param key tells sessions apart @param now ms, monotonic */
  look(key: number, { bytesIn, bytesOut }: Traffic, now: number): { inPerSecond: number; outPerSecond: number } {
    const before = this.#before.get(key);
    this.#before.set(key, { bytesIn, bytesOut, at: now });
    const seconds = before === undefined ? 0 : (now - before.at) / 1000;
    // A session that is new counts from 0.
    if (before === undefined || seconds <= 0 || bytesIn < before.bytesIn || bytesOut < before.bytesOut) {
      return { inPerSecond: 0, outPerSecond: 0 };
    }
    return {
      inPerSecond: (bytesIn - before.bytesIn) / seconds,
      outPerSecond: (bytesOut - before.bytesOut) / seconds,
    };
  }
}

/** `18 ms  loss 0.4 %  in 12 kB/s  out 3 kB/s  in two packets 1 %` */
export function describeTraffic(
  traffic: Traffic,
  { inPerSecond, outPerSecond }: { inPerSecond: number; outPerSecond: number },
): string {
  const share = traffic.datagramsOut === 0 ? 0 : traffic.fragmented / traffic.datagramsOut;
  return [
    `${Math.round(traffic.rttMs)} ms`.padStart(7),
    `loss ${percent(traffic.loss)}`,
    `in ${rate(inPerSecond)}`,
    `out ${rate(outPerSecond)}`,
    ...(share > 0 ? [`in two packets or more ${percent(share)}`] : []),
  ].join("  ");
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

function rate(bytesPerSecond: number): string {
  if (bytesPerSecond >= 1e6) return `${(bytesPerSecond / 1e6).toFixed(1)} MB/s`;
  return `${Math.round(bytesPerSecond / 1e3)} kB/s`;
}
