import type { Endpoint } from "../net/endpoint.ts";
import { type StunBindingRequestOptions, type StunBindingResult, StunBindings } from "../stun/binding.ts";
import { DEFAULT_TIMEOUT_MS } from "../stun/transaction.ts";
import { NatSilences } from "./lifetime-search.ts";

/** How long a NAT remembers a UDP mapping over which nothing goes (RFC 4787 section 4.3). */
export interface NatLifetime {
  /** The longest silence that a mapping has survived, in s; `null` where that could not be found out. */
  seconds: number | null;
  /** The shortest silence after which a mapping was gone, in s; `null` where none of those tried was long enough. */
  goneAfterSeconds: number | null;
  /**
   * - `measured`
   * - `no-nat`: the server sees the socket's own address, so that there is nothing to forget
   * - `untold`: no server answers to another port, and the NAT gives the same public port again, forgotten or not
   * - `unanswered`: no server answers, or none any more
   * - `aborted`: given up before the end
   */
  outcome: "measured" | "no-nat" | "untold" | "unanswered" | "aborted";
}

/** Options of a {@link NatLifetimeProbe}. */
export interface NatLifetimeProbeOptions {
  /** Tried in turn until one is found that answers to another port (RFC 5780 section 7.5). */
  servers: readonly Endpoint[];
  /** Silences to try, in ms, one socket for each. Default: 10 s to 3 min, see {@link DEFAULT_WAITS_MS}. */
  waitsMs?: readonly number[];
  /** Milliseconds to wait for an answer. Default 3000. */
  timeoutMs?: number;
}

/** What the measurement wants done. Sockets have numbers, never used twice. */
export interface NatLifetimeHandler {
  /** Opens a socket that has sent nothing yet. @returns its local port, `null` when there is none to be had */
  open(socket: number): number | null;
  /** Sends a datagram from a socket. */
  send(socket: number, data: Uint8Array, to: Endpoint): void;
  /** Closes a socket. */
  close(socket: number): void;
  /** Whether that is the socket's own address, by an interface of this machine. */
  isLocal(socket: number, endpoint: Endpoint): boolean;
  /** One silence was tried. */
  silence?(waitMs: number, survived: boolean): void;
  /** The end; all sockets are closed. */
  done(lifetime: NatLifetime): void;
}

/** RFC 4787 REQ-5 wants at least 2 min; most routers forget after 30 s to 3 min, the worst after 15 s. */
export const DEFAULT_WAITS_MS: readonly number[] = [10, 15, 20, 30, 45, 60, 120, 180].map((each) => each * 1000);
const MAX_SERVERS = 4;
/** Further sockets that show whether the NAT keeps ports, where the first ones did: one may do so by chance. */
const MORE_TRIALS = 2;
const ASKER = 0;
/** Between the first packets of two sockets. */
const GAP_MS = 50;

type Task = "bind" | "question";

interface Sample {
  readonly socket: number;
  readonly waitMs: number;
  readonly bindings: StunBindings<Task>;
  localPort: number;
  /** The public address that the server saw first. */
  mapped: Endpoint | null;
  /** When the next thing is to be done. */
  dueAt: number;
}

/**
 * Measures how long a NAT remembers, without I/O (RFC 5780 section 4.6): sockets of its own make a mapping by one exchange
 * with a STUN server, and each then keeps another silence. After it, the server is asked from another socket to answer to the
 * silent one's public port: what arrives proves that the mapping lived on. All silences of a round are kept at once; the second
 * round looks more closely between the longest that was survived and the shortest that was not, and tries the latter again,
 * since what is lost on the way looks like what is forgotten.
 *
 * Where no server can answer to another port, the silent socket asks again itself: another public port tells that the mapping
 * was forgotten. The same port proves nothing where it is the private one, since the NAT gives that again.
 *
 * One exchange is the least that any keep-alive is, and what is measured so is safe for all: Linux, for one, remembers a flow of
 * one exchange for 30 s, and one that goes on for more than 2 s for 120 s.
 */
export class NatLifetimeProbe {
  readonly #servers: readonly Endpoint[];
  readonly #silences: NatSilences;
  readonly #timeoutMs: number;
  readonly #handler: NatLifetimeHandler;
  readonly #samples: Map<number, Sample> = new Map();
  /** Asks for the others. Its context is the socket that the answer is for. */
  readonly #asker: StunBindings<number> = new StunBindings();
  #sockets = 0;
  /** The server that is asked. */
  #server: Endpoint | null = null;
  /** The servers that were tried for whether they answer to another port. */
  #tried = 0;
  #method: "trial" | "response-port" | "same-port" = "trial";
  /** A server that answers, if not to another port. */
  #fallback: Endpoint | null = null;
  /** Whether all public ports so far are the private ones. */
  #keepsPorts = true;
  #isDone = false;

  /** @throws {RangeError} for waits that are none, or more than 32 */
  constructor(options: NatLifetimeProbeOptions, handler: NatLifetimeHandler) {
    this.#servers = options.servers.slice(0, MAX_SERVERS);
    this.#silences = new NatSilences(options.waitsMs ?? DEFAULT_WAITS_MS);
    this.#timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#handler = handler;
  }

  /** Begins. `now` is in ms, as in all that follows. */
  start(now: number): void {
    if (this.#handler.open(ASKER) === null) this.#finish("unanswered");
    else this.#tryNextServer(now);
    this.#pump(now, ASKER);
  }

  /** Ends it; `done` follows at once. */
  stop(): void {
    this.#finish("aborted");
  }

  /** A datagram that came in on one of the sockets. @returns `true` when it was waited for */
  receive(socket: number, data: Uint8Array, address: string, port: number, now: number): boolean {
    const own = this.#samples.get(socket)?.bindings.receive(data, address, port, now) ?? false;
    const taken = own || this.#asker.receive(data, address, port, now);
    if (taken) this.#pump(now, socket);
    return taken;
  }

  /** When {@link handleTimeout} has something to do; `null` for never. */
  nextTimeout(): number | null {
    if (this.#isDone) return null;
    let next = this.#asker.nextTimeout() ?? Number.POSITIVE_INFINITY;
    for (const { bindings, dueAt } of this.#samples.values()) {
      next = Math.min(next, dueAt, bindings.nextTimeout() ?? Number.POSITIVE_INFINITY);
    }
    return next === Number.POSITIVE_INFINITY ? null : next;
  }

  /** Does what is due; see {@link nextTimeout}. */
  handleTimeout(now: number): void {
    this.#asker.handleTimeout(now);
    for (const sample of this.#samples.values()) {
      sample.bindings.handleTimeout(now);
      if (now < sample.dueAt) continue;
      sample.dueAt = Number.POSITIVE_INFINITY;
      if (sample.mapped === null) this.#bind(sample, now);
      else this.#question(sample, sample.mapped, now);
    }
    this.#pump(now, ASKER);
  }

  /** Results first: they make requests. @param arrivedAt the socket on which the last datagram came in */
  #pump(now: number, arrivedAt: number): void {
    for (let each = this.#asker.pollResult(now); each !== null; each = this.#asker.pollResult(now)) {
      this.#answered(each, arrivedAt, now);
    }
    for (const sample of this.#samples.values()) {
      for (let each = sample.bindings.pollResult(now); each !== null; each = sample.bindings.pollResult(now)) {
        if (each.context === "bind") this.#bound(sample, each, now);
        else this.#asked(sample, each, now);
      }
    }
    this.#flush(ASKER, this.#asker);
    for (const { socket, bindings } of this.#samples.values()) this.#flush(socket, bindings);
  }

  #flush(socket: number, bindings: StunBindings<number> | StunBindings<Task>): void {
    for (let out = bindings.pollTransmit(); out !== null; out = bindings.pollTransmit()) {
      if (!this.#isDone) this.#handler.send(socket, out.data, out.destination);
    }
  }

  #tryNextServer(now: number): void {
    const isClear = !this.#keepsPorts || this.#tried >= this.#servers.length + MORE_TRIALS;
    const server = this.#servers[this.#tried++] ?? (isClear ? null : this.#fallback);
    if (server !== null) {
      this.#server = server;
      this.#keepSilence(0, now);
    } else if (this.#fallback === null) this.#finish("unanswered");
    else if (this.#keepsPorts) this.#finish("untold");
    else {
      this.#server = this.#fallback;
      this.#method = "same-port";
      this.#silences.goneIsCertain = true;
      this.#nextRound(now);
    }
  }

  #nextRound(now: number): void {
    const waits = this.#silences.nextRound();
    if (waits === "unanswered") this.#finish("unanswered");
    else if (waits === null) this.#conclude();
    else for (const [index, waitMs] of waits.entries()) this.#keepSilence(waitMs, now + index * GAP_MS);
  }

  #conclude(): void {
    const { longestSurvived, shortestGone } = this.#silences;
    // Without a single change of the port there is no saying whether it was kept or given again.
    const isTold = longestSurvived > 0 && (this.#method === "response-port" || shortestGone < Number.POSITIVE_INFINITY);
    this.#finish(isTold ? "measured" : "untold");
  }

  #keepSilence(waitMs: number, at: number): void {
    const socket = ++this.#sockets;
    this.#samples.set(socket, {
      socket,
      waitMs,
      bindings: new StunBindings(),
      localPort: 0,
      mapped: null,
      dueAt: at,
    });
  }

  #bind(sample: Sample, now: number): void {
    const localPort = this.#handler.open(sample.socket);
    if (localPort === null || this.#server === null) {
      this.#drop(sample, now);
      return;
    }
    sample.localPort = localPort;
    sample.bindings.ask("bind", this.#server, now, { timeoutMs: this.#timeoutMs });
  }

  #bound(sample: Sample, { mapped }: StunBindingResult<Task>, now: number): void {
    if (mapped === undefined || this.#server === null) {
      this.#drop(sample, now);
    } else if (this.#handler.isLocal(sample.socket, mapped)) {
      this.#finish("no-nat");
    } else {
      sample.mapped = mapped;
      if (this.#method === "trial") {
        this.#fallback ??= this.#server;
        this.#keepsPorts &&= mapped.port === sample.localPort;
        this.#question(sample, mapped, now);
      } else sample.dueAt = now + sample.waitMs;
    }
  }

  /** Does the mapping live? */
  #question(sample: Sample, mapped: Endpoint, now: number): void {
    if (this.#server === null) return;
    const options: StunBindingRequestOptions = { timeoutMs: this.#timeoutMs };
    if (this.#method === "same-port") sample.bindings.ask("question", this.#server, now, options);
    else this.#asker.ask(sample.socket, this.#server, now, { ...options, responsePort: mapped.port });
  }

  /** An answer to the asker's request: on the silent socket, on the asker's own, or nowhere. */
  #answered({ context, error }: StunBindingResult<number>, arrivedAt: number, now: number): void {
    const sample = this.#samples.get(context);
    if (sample === undefined) return;
    const survived = error === undefined && arrivedAt === sample.socket;
    if (this.#method === "response-port") {
      this.#decide(sample, survived, now);
      return;
    }
    this.#remove(sample);
    if (survived) {
      this.#method = "response-port";
      this.#nextRound(now);
    } else this.#tryNextServer(now);
  }

  /** The silent socket's own second answer. */
  #asked(sample: Sample, { mapped }: StunBindingResult<Task>, now: number): void {
    const { mapped: before, localPort } = sample;
    const isSame = mapped?.port === before?.port && mapped?.address === before?.address;
    if (mapped === undefined || (isSame && mapped.port === localPort)) this.#drop(sample, now);
    else this.#decide(sample, isSame, now);
  }

  #decide(sample: Sample, survived: boolean, now: number): void {
    this.#remove(sample);
    this.#silences.note(sample.waitMs, survived);
    this.#handler.silence?.(sample.waitMs, survived);
    for (const each of this.#samples.values()) if (this.#silences.isMoot(each.waitMs)) this.#remove(each);
    if (this.#samples.size === 0) this.#nextRound(now);
  }

  /** Nothing was learnt. */
  #drop(sample: Sample, now: number): void {
    this.#remove(sample);
    if (this.#method === "trial") this.#tryNextServer(now);
    else if (this.#samples.size === 0) this.#nextRound(now);
  }

  #remove(sample: Sample): void {
    const { socket, localPort } = sample;
    if (!this.#samples.delete(socket)) return;
    this.#asker.cancel((each) => each === socket);
    if (localPort !== 0) this.#handler.close(socket);
  }

  #finish(outcome: NatLifetime["outcome"]): void {
    if (this.#isDone) return;
    this.#isDone = true;
    for (const sample of this.#samples.values()) this.#remove(sample);
    this.#asker.cancel(() => true);
    this.#handler.close(ASKER);
    const { longestSurvived, shortestGone } = this.#silences;
    const isMeasured = outcome === "measured";
    this.#handler.done({
      seconds: isMeasured ? longestSurvived / 1000 : null,
      goneAfterSeconds: isMeasured && shortestGone < Number.POSITIVE_INFINITY ? shortestGone / 1000 : null,
      outcome,
    });
  }
}
