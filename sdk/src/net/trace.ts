/**
 * What happens inside, for somebody who debugs a failed join. Each room tells its events on a diagnostics channel,
 * `sallyport:trace:ROOM`; `NODE_DEBUG=sallyport` prints them, `--trace FILE` keeps them. While nobody listens an event
 * costs one look at a flag. Nothing here imports `node:`, since pages load rooms that trace.
 */
import type { Channel } from "node:diagnostics_channel";

/** The rooms that trace, each with a channel of its own. */
export const TRACE_ROOMS = [
  "net",
  "stun",
  "gateway",
  "netcode",
  "channel",
  "lan",
  "turn",
  "nat",
  "ice",
  "session",
  "connectivity",
  "rendezvous",
  "colyseus",
  "tunnel",
] as const;
/** The name of a room that traces. */
export type TraceRoom = (typeof TRACE_ROOMS)[number];

/**
 * What an event says. Never a secret: no key, token, credential, invite or seal.
 * Addresses are there: a trace is for the person who hosts or joins, and names their network.
 */
export type TraceFields = Readonly<Record<string, string | number | boolean | null | undefined | readonly string[]>>;

/**
 * The fields as a room hands them in. What is text in the event is made only while somebody listens: an endpoint
 * becomes `address:port`, a URL loses user, query and fragment, which may be secrets. Numbers keep three decimals,
 * and texts, which strangers may have written, their first 300 characters.
 */
export type TraceInput = Readonly<Record<string, Field | readonly Field[]>>;
type Field = string | number | boolean | null | undefined | URL | AddressAndPort;
type AddressAndPort = { readonly address: string; readonly port: number };

/** The message on a channel. */
export interface TraceEvent {
  /** Whose event it is. */
  readonly room: TraceRoom;
  /** What happened, in kebab case: `pair-selected`. */
  readonly event: string;
  /** What it says of it. */
  readonly fields: TraceFields;
}

/** One room's events. */
export interface Trace {
  /** Whether anybody listens. Look before making the fields of an event. */
  readonly on: boolean;
  /** Never throws. */
  event(event: string, fields?: TraceInput): void;
}

const diagnostics = globalThis.process?.getBuiltinModule?.("node:diagnostics_channel");
const traces = new Map<TraceRoom, Trace>();

/** The name of a room's diagnostics channel. */
export function traceChannelName(room: TraceRoom): string {
  return `sallyport:trace:${room}`;
}

/** A room's trace, the same one each time. In a page it is never on. */
export function traceOf(room: TraceRoom): Trace {
  let trace = traces.get(room);
  if (trace === undefined) {
    trace = diagnostics ? new ChannelTrace(room, diagnostics.channel(traceChannelName(room))) : SILENT;
    traces.set(room, trace);
  }
  return trace;
}

class ChannelTrace implements Trace {
  readonly #room: TraceRoom;
  readonly #channel: Channel;

  constructor(room: TraceRoom, channel: Channel) {
    this.#room = room;
    this.#channel = channel;
  }

  get on(): boolean {
    return this.#channel.hasSubscribers;
  }

  event(event: string, fields: TraceInput = {}): void {
    if (!this.#channel.hasSubscribers) return;
    const message: TraceEvent = { room: this.#room, event, fields: plainFields(fields) };
    this.#channel.publish(message);
  }
}

const MAX_TEXT = 300;

function plainFields(fields: TraceInput): TraceFields {
  const plain: Record<string, TraceFields[string]> = {};
  for (const [key, value] of Object.entries(fields)) {
    plain[key] = isList(value) ? value.map((item) => String(plainField(item))) : plainField(value);
  }
  return plain;
}

/** Array.isArray does not narrow a readonly array away. */
function isList(value: TraceInput[string]): value is readonly Field[] {
  return Array.isArray(value);
}

function plainField(value: Field): string | number | boolean | null | undefined {
  if (typeof value === "number") return Math.round(value * 1000) / 1000;
  if (typeof value === "string") return value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value;
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof URL) return `${value.protocol}//${value.host}${value.pathname}`;
  if (value.address === "") return "none";
  return value.address.includes(":") ? `[${value.address}]:${value.port}` : `${value.address}:${value.port}`;
}

const SILENT: Trace = { on: false, event: () => undefined };

/**
 * Calls `listener` for the events of these rooms until the returned function is called.
 * Does nothing in a page.
 */
export function listenToTrace(rooms: Iterable<TraceRoom>, listener: (event: TraceEvent) => void): () => void {
  const names = [...new Set(rooms)].map(traceChannelName);
  const onMessage = (message: unknown): void => listener(message as TraceEvent);
  for (const name of names) diagnostics?.subscribe(name, onMessage);
  return () => {
    for (const name of names) diagnostics?.unsubscribe(name, onMessage);
  };
}

/**
 * The rooms that `NODE_DEBUG` asks for: `sallyport` all, `sallyport:ice` one, `sallyport:gateway,ice` several. As Node
 * does, `*` stands for any characters and case is ignored. Other names in the list are other libraries'.
 */
export function roomsOfNodeDebug(value: string): TraceRoom[] {
  const found = new Set<TraceRoom>();
  let continues = false;
  for (const part of value.toLowerCase().split(",")) {
    const name = part.trim();
    // A bare name after one of ours continues our list: `sallyport:gateway,ice`.
    const ours: string | undefined = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : continues ? name : undefined;
    const rooms: TraceRoom[] = TRACE_ROOMS.filter((room) => ours !== undefined && matches(ours, room));
    continues = rooms.length > 0;
    if (!continues) {
      rooms.push(...TRACE_ROOMS.filter((room) => matches(name, "sallyport") || matches(name, PREFIX + room)));
    }
    for (const room of rooms) found.add(room);
  }
  return [...found];
}

const PREFIX = "sallyport:";

/** At most a handful of `*`; each part must come in order, so that no pattern costs more than its length. */
function matches(pattern: string, text: string): boolean {
  const parts = pattern.split("*");
  const [first = "", ...rest] = parts;
  if (rest.length === 0) return pattern === text;
  if (!text.startsWith(first)) return false;
  const last = rest.pop() ?? "";
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

/** `key=value` pairs in one line; a text with blanks is quoted, control characters are escaped. */
export function formatTraceFields(fields: TraceFields): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${formatValue(value)}`)
    .join(" ");
}

function formatValue(value: TraceFields[string]): string {
  if (typeof value === "object" && value !== null) return `[${value.map(formatValue).join(", ")}]`;
  if (typeof value !== "string") return String(value);
  return /^[\w.:/@[\]+%-]+$/.test(value) ? value : JSON.stringify(value);
}

const wanted = roomsOfNodeDebug(globalThis.process?.env?.["NODE_DEBUG"] ?? "");
if (wanted.length > 0) listenToTrace(wanted, print);

/** As util.debuglog prints, with the milliseconds since the process began. Standard error may be gone. */
function print({ room, event, fields }: TraceEvent): void {
  const { pid, stderr } = globalThis.process;
  try {
    stderr.write(
      `SALLYPORT:${room.toUpperCase()} ${pid} ${performance.now().toFixed(1)} ${event} ${formatTraceFields(fields)}\n`,
    );
  } catch {
    // A trace must not end what it watches.
  }
}
