import { type Endpoint, uniqueEndpoints } from "../../../net/endpoint.ts";

/** Where browsers may reach our WebRTC port. */
export interface AnswerEndpoint extends Endpoint {
  /** `srflx`: what a NAT shows of us, which may let nobody in. */
  type: "host" | "srflx";
}

/** Each one that leads nowhere costs the browser some packets, and hardly any time: it asks all at once. */
const MAX_ENDPOINTS = 12;
/** RFC 8445 section 5.1.2.2. */
const TYPE_PREFERENCE = { host: 126, srflx: 100 } as const;

/**
 * The answer as libdatachannel made it, with the candidates that the ladder knows in place of those of its interfaces: mapped ports
 * are among them, container bridges are not. What it learnt by STUN and TURN stays.
 */
export function completeAnswer(sdp: string, endpoints: readonly AnswerEndpoint[]): string {
  const lines = sdp.split(/\r?\n/).filter((line) => {
    const isOwn = line.startsWith("a=candidate:") && / typ host\b/.test(line);
    return line !== "" && line !== "a=end-of-candidates" && !isOwn;
  });
  const candidates = uniqueEndpoints(endpoints)
    .slice(0, MAX_ENDPOINTS)
    .map(({ type, address, port }, i) => {
      // RFC 8445 section 5.1.2.1: each its own local preference, in our order.
      const priority = TYPE_PREFERENCE[type] * 2 ** 24 + (0xffff - i) * 2 ** 8 + 255;
      const related = type === "host" ? "" : " raddr 0.0.0.0 rport 0";
      return `a=candidate:s${i} 1 UDP ${priority} ${address} ${port} typ ${type}${related}`;
    });
  return [...lines, ...candidates, "a=end-of-candidates", ""].join("\r\n");
}
