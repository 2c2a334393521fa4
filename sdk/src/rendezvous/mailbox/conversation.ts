/** One introduction through relays, the same at both ends: records come and go in parcels, which are sent again where they get lost. */
import type { Clock } from "../../net/clock.ts";
import { SealedIntroduction, type SealedIntroductionOptions } from "../sealed/introduction.ts";
import type { NoiseTransport } from "../sealed/noise.ts";
import { CONVERSATION_BYTES, ParcelStream } from "../sealed/parcel.ts";
import { SEALED_ON_THE_WAY } from "../sealed/records.ts";
import { toHex } from "../wire/base64.ts";
import type { RelaySender } from "../wire/relay.ts";

/** A parcel goes over one relay, and each time that it is lost over one more, up to so many at once. */
const AGAIN_OVER = 3;

export interface ConversationOptions extends Omit<SealedIntroductionOptions, "transport" | "wire" | "now"> {
  clock: Clock;
  /** Publishes to the other side. */
  publish: (relay: string, parcel: Uint8Array, sender: RelaySender) => void;
  /** Relays that take what is published, the best first. */
  relays: () => readonly string[];
  sender: RelaySender;
  onEnd: () => void;
}

const EMPTY: Uint8Array = new Uint8Array(0);

export class Conversation {
  readonly introduction: SealedIntroduction;
  readonly #options: ConversationOptions;
  readonly #transport = { send: SEALED_ON_THE_WAY, receive: SEALED_ON_THE_WAY, handshakeHash: EMPTY };
  /** Relays over which the other side was heard, the latest first. */
  #heard: string[] = [];
  /** Until the keys are known. */
  #before: Uint8Array[] = [];
  #stream: ParcelStream | undefined;
  #cancel: () => void = () => undefined;

  constructor(options: ConversationOptions) {
    this.#options = options;
    const { clock, onEnd } = options;
    this.introduction = new SealedIntroduction({
      ...options,
      transport: this.#transport,
      wire: {
        relay: (record) => this.#send(record),
        end: () => {
          this.#cancel();
          onEnd();
        },
      },
      now: () => clock.now(),
    });
  }

  /** Its name on the wire, once {@link begin} was called. */
  get name(): string {
    return nameOf(this.#transport.handshakeHash);
  }

  /** What has been said before the keys are known. */
  get before(): readonly Uint8Array[] {
    return this.#before;
  }

  /**
   * The handshake is done.
   * @param sent records that went along with it, of {@link before} or else; @param received records that came with it
   */
  begin(
    { send, receive, handshakeHash }: Omit<NoiseTransport, "payload">,
    { sent, received }: { sent: number; received: number },
  ): void {
    const { clock } = this.#options;
    this.#transport.handshakeHash = handshakeHash;
    const left = this.#before.slice(sent);
    this.#before = [];
    this.#stream = new ParcelStream({
      conversation: handshakeHash.slice(0, CONVERSATION_BYTES),
      send,
      receive,
      sent,
      received,
      emit: (parcel, attempt) => this.#emit(parcel, attempt),
      deliver: (record) => void this.introduction.receive(record),
      onGivenUp: () => this.introduction.lose("The relays no longer pass on what is said."),
      now: () => clock.now(),
    });
    for (const record of left) this.#stream.sendRecord(record);
    this.#schedule();
  }

  /** After {@link begin}: what was sealed before there was a conversation. */
  sendRecords(records: readonly Uint8Array[]): void {
    for (const record of records) this.#send(record);
  }

  /** False for what is none of the other side's. */
  receive(relay: string, parcel: Uint8Array): boolean {
    if (this.introduction.closed !== undefined || this.#stream?.receive(parcel) !== true) return false;
    this.hear(relay);
    this.#schedule();
    return true;
  }

  /** The other side was heard over this relay. */
  hear(relay: string): void {
    if (this.#heard[0] !== relay) this.#heard = [relay, ...this.#heard.filter((each) => each !== relay)];
  }

  #send(record: Uint8Array): void {
    if (this.#stream === undefined) this.#before.push(record);
    else {
      this.#stream.sendRecord(record);
      this.#schedule();
    }
  }

  #emit(parcel: Uint8Array, attempt: number): void {
    const { publish, relays, sender } = this.#options;
    const ready = relays();
    const known = this.#heard.filter((relay) => ready.includes(relay));
    const order = [...known, ...ready.filter((relay) => !known.includes(relay))];
    for (const relay of order.slice(0, Math.min(attempt + 1, AGAIN_OVER))) publish(relay, parcel, sender);
  }

  #schedule(): void {
    const { clock } = this.#options;
    this.#cancel();
    const stream = this.#stream;
    if (stream === undefined || stream.dueAt === Number.POSITIVE_INFINITY) return;
    if (this.introduction.closed !== undefined) return;
    this.#cancel = clock.after(Math.max(0, stream.dueAt - clock.now()), () => {
      stream.tick();
      this.#schedule();
    });
  }
}

export function nameOf(handshakeHash: Uint8Array): string {
  return toHex(handshakeHash.subarray(0, CONVERSATION_BYTES));
}
