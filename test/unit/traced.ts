import { onTestFinished } from "vitest";
import { formatTraceFields, listenToTrace, type TraceRoom } from "../../sdk/src/net/trace.ts";

/** A room's events from now to the end of the test, as `NODE_DEBUG` prints them, without the time that each took. */
export function traced(...rooms: TraceRoom[]): string[] {
  const lines: string[] = [];
  const stop = listenToTrace(rooms, ({ event, fields }) => {
    const { ms: _, ...rest } = fields;
    lines.push(`${event} ${formatTraceFields(rest)}`.trimEnd());
  });
  onTestFinished(stop);
  return lines;
}
