import type { ITransportEventMap } from "@colyseus/sdk/transport/ITransport";
import { WebSocketTransport } from "@colyseus/sdk/transport/WebSocketTransport";
import type { NetworkConditions } from "../../channel/line-model.ts";
import { MessageLine } from "../../session/message-line.ts";

/** What Colyseus reads of a MessageEvent. */
interface Message {
  data: ArrayBuffer;
}

type Listener = (event: Message) => void;

const TIMERS = { now: () => performance.now(), later: (work: () => void, ms: number) => void setTimeout(work, ms) };

/** Colyseus' WebSocket, behind a bad line where one is asked for. */
export class LinedWebSocket extends WebSocketTransport {
  #conditions: NetworkConditions | null = null;
  /** Each way its own. They stay once there were any: what is on its way keeps its place. */
  #line: { readonly out: MessageLine; readonly in: MessageLine } | undefined;

  constructor(events: ITransportEventMap & { onmessage: Listener }) {
    super(events);
    const { onmessage } = events;
    this.events = { ...events, onmessage: (event: Message) => this.#receive(event, onmessage) };
  }

  get conditions(): NetworkConditions | null {
    return this.#conditions;
  }

  set conditions(conditions: NetworkConditions | null) {
    this.#conditions = conditions;
    if (conditions !== null) this.#line ??= { out: new MessageLine({}, TIMERS), in: new MessageLine({}, TIMERS) };
    if (this.#line) this.#line.out.conditions = this.#line.in.conditions = conditions ?? {};
  }

  override send(data: Uint8Array): void {
    if (!this.#line) return super.send(data);
    const copy = data.slice();
    this.#line.out.reliable(data.length, () => super.send(copy));
  }

  #receive(event: Message, listener: Listener): void {
    if (!this.#line) listener(event);
    // A room that was left meanwhile hears nothing more.
    else this.#line.in.reliable(event.data.byteLength, () => this.isOpen && listener(event));
  }
}
