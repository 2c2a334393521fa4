/**
 * A relay passes sealed bytes on to whoever listens to a topic, and knows nothing else of us: a Nostr relay (nostr/) or an MQTT
 * broker (mqtt/). It repeats, drops and swaps messages, delivers what was not asked for, and strangers write to its topics.
 *
 * A protocol does no I/O: it gets what the relay sent, and says what to send.
 */

/** 32 bytes in lower-case hex. */
export type Topic = string;

/** Who publishes, as a relay sees it: one for each conversation, so that conversations do not look alike. 32 random bytes. */
export type RelaySender = Uint8Array;

/** Larger content is nothing of ours: the largest parcel (sealed/parcel.ts) is shorter. */
export const MAX_CONTENT_BYTES = 4096;

export interface RelayProtocolEvents {
  send(data: string | Uint8Array): void;
  /** From now on what is published under our topics comes. */
  onSubscribed(): void;
  /** Of a topic of ours, at most MAX_CONTENT_BYTES: everything else has been left out. */
  onMessage(topic: Topic, content: Uint8Array): void;
  /** It has answered a ping. */
  onAlive(): void;
  /** It did not take what was published, or says that it gets too much. */
  onRefused(reason: string): void;
  /** It is of no use. @param lasting it will not change its mind soon: it wants an account, say */
  onFailed(reason: string, lasting: boolean): void;
}

export interface RelayProtocol {
  /** The stream stands: it begins, and subscribes. */
  start(topics: readonly Topic[]): void;
  receive(data: string | Uint8Array): void;
  /** In place of what was subscribed before. */
  subscribe(topics: readonly Topic[]): void;
  /** After onSubscribed. Whether it arrives, nobody says. */
  publish(topic: Topic, content: Uint8Array, sender: RelaySender): void;
  /** Publishes nothing. */
  ping(): void;
}
