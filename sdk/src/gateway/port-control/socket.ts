import { createSocket, type Socket } from "node:dgram";
import type { Clock } from "../../net/clock.ts";
import { type TraceInput, traceOf } from "../../net/trace.ts";
import { Retransmission, type RetransmitOptions } from "./retransmit.ts";

const trace = traceOf("gateway");

/** The gateway did not answer, its system said that no program listens, or ours does not reach it. */
export class NoAnswer extends Error {
  readonly refused: boolean;
  /** Of our system, where it refused. */
  readonly code: string | undefined;
  constructor(message: string, refused: boolean, code?: string) {
    super(message);
    this.refused = refused;
    this.code = code;
  }
}

export interface PortControlOptions {
  localAddress: string;
  gateway: string;
  port: number;
  clock: Clock;
  random: () => number;
}

type Reader = (bytes: Uint8Array) => boolean;

/**
 * The socket for PCP and NAT-PMP with one gateway. It is connected: the kernel drops datagrams from other addresses (RFC 6886
 * section 3.1), and reports at once when no program listens there.
 */
export class PortControlSocket implements Disposable {
  readonly localAddress: string;
  readonly gateway: string;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #socket: Socket;
  readonly #ready: Promise<void>;
  readonly #readers = new Set<Reader>();
  readonly #refusals = new Set<(error: Error) => void>();
  #closed = false;
  /** How many drivers share it. The last one closes it. */
  #users = 1;

  constructor({ localAddress, gateway, port, clock, random }: PortControlOptions) {
    this.localAddress = localAddress;
    this.gateway = gateway;
    this.#clock = clock;
    this.#random = random;
    const socket = createSocket(localAddress.includes(":") ? "udp6" : "udp4");
    this.#socket = socket;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#ready = promise;
    promise.catch(() => undefined);
    const fail = (error: Error): void => {
      reject(error);
      this.#refuseAll(error);
    };
    socket.on("error", fail);
    socket.on("message", (bytes) => {
      for (const reader of this.#readers) if (reader(bytes)) return;
    });
    socket.bind({ address: localAddress, port: 0 }, () => {
      // Node's types leave the error out.
      socket.connect(port, gateway, (error?: Error) => {
        if (error) return fail(error);
        socket.unref();
        resolve();
      });
    });
    socket.unref();
  }

  #refuseAll(error: Error): void {
    for (const refuse of this.#refusals) refuse(error);
  }

  share(): this {
    this.#users++;
    return this;
  }

  /**
   * Sends a request, and again by schedule, until `read` accepts an answer.
   * @throws {NoAnswer}
   */
  async request<T>(
    bytes: Uint8Array,
    read: (answer: Uint8Array) => T | undefined,
    schedule: RetransmitOptions,
    signal?: AbortSignal,
  ): Promise<T> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const retransmission = new Retransmission(schedule, this.#clock.now(), this.#random);
    let cancel = (): void => undefined;
    const begun = this.#clock.now();
    if (trace.on) trace.event("request", { ...describeRequest(bytes), to: this.gateway, from: this.localAddress });
    const reader: Reader = (answer) => {
      const result = read(answer);
      if (result === undefined) return false;
      if (trace.on) {
        const ms = this.#clock.now() - begun;
        trace.event("answer", { ...describeRequest(bytes), from: this.gateway, result: resultOf(answer), ms });
      }
      resolve(result);
      return true;
    };
    const refuse = (error: NodeJS.ErrnoException): void =>
      reject(new NoAnswer(`${this.gateway} refuses (${error.code ?? error.message})`, true, error.code));
    const onAbort = (): void => reject(signal?.reason as Error);
    const tick = (): void => {
      const now = this.#clock.now();
      const due = retransmission.poll(now);
      if (due === "over" || this.#closed) return reject(new NoAnswer(`${this.gateway} does not answer`, false));
      // The system reports an ICMP error for one datagram when the next is sent.
      if (due === "send") this.#socket.send(bytes, (error) => error && this.#refuseAll(error));
      cancel = this.#clock.after(Math.max(1, retransmission.due - now), tick);
    };
    this.#readers.add(reader);
    this.#refusals.add(refuse);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const ready = this.#ready.catch((error: Error) => {
        refuse(error);
        return promise;
      });
      await Promise.race([ready, promise]);
      tick();
      return await promise;
    } catch (error) {
      if (trace.on) traceFailure(error, { ...describeRequest(bytes), ms: this.#clock.now() - begun });
      throw error;
    } finally {
      cancel();
      this.#readers.delete(reader);
      this.#refusals.delete(refuse);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  [Symbol.dispose](): void {
    if (--this.#users > 0 || this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }
}

const PCP_OPERATIONS = ["announce", "map"] as const;
const NAT_PMP_OPERATIONS = ["external-address", "map-udp", "map-tcp"] as const;

/** RFC 6887 section 7.1 and RFC 6886 section 3.2 begin with version and opcode. */
function describeRequest([version = 0, opcode = 0]: Uint8Array): TraceInput {
  return version === 0
    ? { protocol: "nat-pmp", operation: NAT_PMP_OPERATIONS[opcode] }
    : { protocol: "pcp", operation: PCP_OPERATIONS[opcode & 0x7f] };
}

/** PCP's result is one byte, NAT-PMP's two, of which the second tells all that are defined. */
function resultOf(answer: Uint8Array): number | undefined {
  return answer[3];
}

function traceFailure(error: unknown, request: TraceInput): void {
  if (error instanceof NoAnswer) trace.event("no-answer", { ...request, reason: error.message });
  else trace.event("given-up", request);
}
