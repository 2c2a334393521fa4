// Sends junk of every kind to a port, and counts what comes back.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readConnectToken } from "../../../sdk/src/netcode/connect-token.ts";
import { writeRequest } from "../../../sdk/src/netcode/request.ts";
import { LOOPBACK } from "./contender.ts";
import { serve } from "./part.ts";

interface Flood {
  port: number;
  /** Datagrams per second; 0: as many as it can. */
  rate: number;
  seconds: number;
  /** Connect tokens that the server accepts: their requests are answered with challenges, which nobody takes up. */
  tokens: string[];
}
export interface FloodReport {
  sent: number;
  bytes: number;
  requestBytes: number;
  replyBytes: number;
}

const MAX_GAP_MS = 1;

const socket = createSocket({ type: "udp4" });
socket.bind(0, LOOPBACK);
await once(socket, "listening");
let replyBytes = 0;
socket.on("message", (data) => {
  replyBytes += data.length;
});

const random = (length: number): Buffer => Buffer.from(crypto.getRandomValues(new Uint8Array(length)));

function junk(tokens: string[]): { data: Buffer; request: boolean }[] {
  const requests = tokens.map((token) => {
    const parsed = readConnectToken(Buffer.from(token, "base64"));
    if (typeof parsed === "string") throw new Error(parsed);
    return Buffer.from(writeRequest(parsed));
  });
  return Array.from({ length: 4096 }, (_, n) => {
    const request = requests[n % requests.length] ?? random(1078);
    switch (n % 8) {
      case 0: // authentic: answered with a challenge
        return { data: request, request: true };
      case 1: {
        const forged = Buffer.from(request);
        forged[100 + (n % 900)] = (forged[100 + (n % 900)] ?? 0) ^ 1;
        return { data: forged, request: false };
      }
      case 2: // cut short
        return { data: request.subarray(0, n % 1078), request: false };
      case 3: // a payload, as it seems, of somebody whose address changed
      case 4: {
        const data = random(200);
        data[0] = 0x25;
        return { data, request: false };
      }
      default:
        return { data: random(1 + (n % 1400)), request: false };
    }
  });
}

serve({
  flood: async ({ port, rate, seconds, tokens }: Flood): Promise<FloodReport> => {
    const pieces = junk(tokens);
    const report: FloodReport = { sent: 0, bytes: 0, requestBytes: 0, replyBytes: 0 };
    replyBytes = 0;
    let before = performance.now();
    const end = before + seconds * 1000;
    let owed = 0;
    while (performance.now() < end) {
      const now = performance.now();
      // Time in which it was not run is not made up for: that would be a burst of another rate.
      owed = rate === 0 ? 64 : owed + (Math.min(now - before, MAX_GAP_MS) / 1000) * rate;
      before = now;
      for (; owed >= 1; owed--) {
        const piece = pieces[report.sent % pieces.length];
        if (!piece) break;
        socket.send(piece.data, port, LOOPBACK);
        report.sent++;
        report.bytes += piece.data.length;
        if (piece.request) report.requestBytes += piece.data.length;
      }
      // No timer: it would make bursts of what is a stream.
      await new Promise((resolve) => setImmediate(resolve));
    }
    // What is still on its way comes within a moment.
    await new Promise((resolve) => setTimeout(resolve, 200));
    return { ...report, replyBytes };
  },
});
