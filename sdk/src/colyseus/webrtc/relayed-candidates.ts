/**
 * An SDP of somebody whose addresses stay hidden: its relayed candidates alone, without the addresses behind them.
 * @returns undefined where there is none
 */
export function relayedAlone(sdp: string): string | undefined {
  const lines = sdp.split(/\r?\n/).flatMap((line) => {
    if (line === "" || line === "a=end-of-candidates") return [];
    if (/^[oc]=/.test(line)) return [line.replace(/\bIN IP[46] .*$/, "IN IP4 0.0.0.0")];
    if (!line.startsWith("a=candidate:")) return [line];
    return / typ relay\b/.test(line) ? [line.replace(/ raddr \S+ rport \d+/, " raddr 0.0.0.0 rport 0")] : [];
  });
  if (!lines.some((line) => line.startsWith("a=candidate:"))) return undefined;
  return [...lines, "a=end-of-candidates", ""].join("\r\n");
}
