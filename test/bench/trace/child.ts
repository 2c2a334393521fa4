/** Measures rounds of messages, with the trace as it is, listened to, or taken out of the source before it is compiled. */
import { registerHooks } from "node:module";

const [mode = "off", count = "20000"] = process.argv.slice(2);
if (mode === "removed") {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const { source } = loaded;
      if (!url.includes("/sdk/src/") || source === undefined || source === null) return loaded;
      const text = typeof source === "string" ? source : new TextDecoder().decode(source);
      return { ...loaded, source: text.replaceAll(/\btrace\.on\b/g, "false") };
    },
  });
}
const { openPair } = await import("./session.ts");
if (mode === "on") {
  const { listenToTrace, TRACE_ROOMS } = await import("../../../sdk/src/net/trace.ts");
  listenToTrace(TRACE_ROOMS, () => undefined);
}
const exchange = await openPair();
const message = new Uint8Array(200).fill(7);
process.on("message", () => {
  const begun = process.hrtime.bigint();
  for (let sent = 0; sent < Number(count); sent++) exchange(message);
  // There and back: two messages.
  process.send?.(Number(process.hrtime.bigint() - begun) / Number(count) / 2);
});
process.send?.("ready");
