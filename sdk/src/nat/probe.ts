import type { Endpoint } from "../net/endpoint.ts";
import { traceOf } from "../net/trace.ts";
import { UDPSocket } from "../net/udp-socket.ts";
import { newTransactionId, StunBuilder } from "../stun/builder.ts";
import { CHANGE_IP, CHANGE_PORT, StunAttribute, StunMethod } from "../stun/constants.ts";
import { isStun, StunMessage } from "../stun/message.ts";

const trace = traceOf("nat");

/**
 * - `arrived`: a packet from an address that the game has never written to came in
 * - `silent`: none came
 * - `unsupported`: it cannot be told: the server does not do this (RFC 5780's RESPONSE-PORT and a second address are optional), or the
 *   system gives us no socket to ask from
 */
export type ProbeResult = "arrived" | "silent" | "unsupported";

/** Options of `probePort`. */
export interface ProbeOptions {
  /** How long to wait, ms. Default 1500. */
  timeoutMs?: number;
  /** Ends it early. */
  signal?: AbortSignal;
}

const SCHEDULE_MS = [0, 200, 500, 900];

/**
 * Proof from outside that strangers get in: asks the STUN server, from another socket, to send its answer from its other
 * address and port to `port` of our public address (RFC 5780 sections 7.2 and 7.5), and looks whether the game's socket
 * gets it. A mapping that the router only claims to have is found out so. Never rejects.
 *
 * @param server a server with two addresses, resolved
 * @param port the public port to be proven, 1-65535
 */
export async function probePort(
  socket: UDPSocket,
  server: Endpoint,
  port: number,
  { timeoutMs = 1500, signal }: ProbeOptions = {},
): Promise<ProbeResult> {
  const request = probeRequest(port);
  const transactionId = request.subarray(8, 20);
  const result = Promise.withResolvers<ProbeResult>();
  await using other = UDPSocket.tryOpen({ address: server.address.includes(":") ? "::" : "0.0.0.0" });
  if (other === null) return "unsupported";
  const isAnswer = (data: Buffer): boolean => isStun(data) && data.subarray(8, 20).equals(transactionId);
  const leave = [
    socket.tap((data) => {
      if (!isAnswer(data)) return false;
      result.resolve("arrived");
      return true;
    }),
    socket.onClose(() => result.resolve("silent")),
  ];
  other.onDatagram = (data) => {
    // A server that knows RESPONSE-PORT answers to it; what comes back here is a refusal, or ignorance.
    if (isAnswer(data) && StunMessage.decode(data) !== null) result.resolve("unsupported");
  };
  const giveUp = (): void => result.resolve("silent");
  signal?.addEventListener("abort", giveUp, { once: true });
  const timers = SCHEDULE_MS.filter((at) => at < timeoutMs).map((at) =>
    setTimeout(() => other.send(request, server.port, server.address), at).unref(),
  );
  timers.push(setTimeout(giveUp, timeoutMs).unref());
  try {
    if (signal?.aborted === true) giveUp();
    const found = await result.promise;
    if (trace.on) trace.event("port-probe", { server, port, result: found });
    return found;
  } finally {
    for (const timer of timers) clearTimeout(timer);
    for (const each of leave) each();
    signal?.removeEventListener("abort", giveUp);
  }
}

function probeRequest(port: number): Buffer {
  return new StunBuilder(StunMethod.BINDING, "request", newTransactionId())
    .uint32(StunAttribute.CHANGE_REQUEST, CHANGE_IP | CHANGE_PORT)
    .uint32(StunAttribute.RESPONSE_PORT, port * 0x1_0000)
    .build();
}
