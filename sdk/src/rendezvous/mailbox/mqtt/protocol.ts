/** What we say to an MQTT broker, and read of what it says. No I/O. */
import { MAX_CONTENT_BYTES, type RelayProtocol, type RelayProtocolEvents, type Topic } from "../../wire/relay.ts";
import {
  connectPacket,
  type MqttPacket,
  MqttReader,
  pingPacket,
  publishPacket,
  subscribePacket,
  unsubscribePacket,
} from "./packet.ts";

/** The broker ends the connection after one and a half times as much silence (section 3.1.2.10); we ask more often. */
const KEEP_ALIVE_S = 120;
const CLIENT_ID_CHARACTERS = "0123456789abcdefghijklmnopqrstuv";
const CLIENT_ID_LENGTH = 22;
/** Section 3.2.2.3, from 1 on. */
const REFUSALS = [
  "it speaks another version of MQTT",
  "it does not take our name",
  "it is unavailable",
  "it wants another user or password",
  "it wants an account",
];
/** Of those, the ones that will not change soon. */
const FIRST_LASTING_REFUSAL = 4;

export interface MqttOptions {
  username?: string | undefined;
  password?: string | undefined;
  random: (bytes: number) => Uint8Array;
}

export class MqttProtocol implements RelayProtocol {
  readonly #events: RelayProtocolEvents;
  readonly #options: MqttOptions;
  readonly #reader = new MqttReader();
  #topics: readonly Topic[] = [];
  #isConnected = false;
  #packetId = 0;

  constructor(events: RelayProtocolEvents, options: MqttOptions) {
    this.#events = events;
    this.#options = options;
  }

  start(topics: readonly Topic[]): void {
    this.#topics = topics;
    const { username, password, random } = this.#options;
    // Another one each time: a broker throws out whoever had the name before.
    const clientId = Array.from(random(CLIENT_ID_LENGTH), (byte) => CLIENT_ID_CHARACTERS[byte & 31]).join("");
    this.#events.send(connectPacket({ clientId, username, password, keepAliveSeconds: KEEP_ALIVE_S }));
  }

  subscribe(topics: readonly Topic[]): void {
    const before = this.#topics;
    this.#topics = topics;
    if (!this.#isConnected) return;
    const added = topics.filter((topic) => !before.includes(topic));
    const gone = before.filter((topic) => !topics.includes(topic));
    if (added.length > 0) this.#events.send(subscribePacket(this.#nextId(), added));
    if (gone.length > 0) this.#events.send(unsubscribePacket(this.#nextId(), gone));
  }

  publish(topic: Topic, content: Uint8Array): void {
    this.#events.send(publishPacket(topic, content));
  }

  ping(): void {
    this.#events.send(pingPacket());
  }

  receive(data: string | Uint8Array): void {
    const packets = typeof data === "string" ? "malformed" : this.#reader.read(data);
    if (packets === "malformed") this.#events.onFailed("It does not speak MQTT.", true);
    else for (const packet of packets) this.#onPacket(packet);
  }

  #onPacket(packet: MqttPacket): void {
    switch (packet.type) {
      case "connack":
        if (packet.code !== 0) {
          const reason = REFUSALS[packet.code - 1] ?? `it says no (${packet.code})`;
          this.#events.onFailed(reason, packet.code >= FIRST_LASTING_REFUSAL);
        } else if (!this.#isConnected) {
          this.#isConnected = true;
          this.#events.send(subscribePacket(this.#nextId(), this.#topics));
        }
        return;
      case "suback":
        if (packet.granted) this.#events.onSubscribed();
        else this.#events.onFailed("It does not let us listen.", true);
        return;
      case "publish":
        // We retain nothing: what is retained was put there by somebody else.
        if (!packet.retained && packet.payload.length <= MAX_CONTENT_BYTES && this.#topics.includes(packet.topic)) {
          this.#events.onMessage(packet.topic, packet.payload);
        }
        return;
      case "pingresp":
        this.#events.onAlive();
        return;
    }
  }

  #nextId(): number {
    this.#packetId = (this.#packetId % 0xffff) + 1;
    return this.#packetId;
  }
}
