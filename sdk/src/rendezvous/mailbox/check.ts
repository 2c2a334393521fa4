/** Whether a relay would do: it is connected to, listened to, and given one message that must come back. */
import type { Clock } from "../../net/clock.ts";
import { toHex } from "../wire/base64.ts";
import { RelayConnection } from "./connection.ts";
import type { OpenRelaySocket } from "./socket.ts";

export interface RelayCheck {
  url: string;
  /** Until it listened for us; undefined: it never did. */
  readyMs: number | undefined;
  /** From publishing until the message came back; undefined: it did not. */
  echoMs: number | undefined;
  /** Why it would not do; undefined where it would. */
  problem: string | undefined;
}

export interface RelayCheckOptions {
  openSocket: OpenRelaySocket;
  clock: Clock;
  random: (bytes: number) => Uint8Array;
}

/** A message that takes longer is taken for lost, ms. */
const ECHO_MS = 3000;
const CONTENT_BYTES = 300;

/** Publishes one message, under a topic that nobody knows. Never rejects. */
export function checkRelay(url: string, { openSocket, clock, random }: RelayCheckOptions): Promise<RelayCheck> {
  const begun = clock.now();
  const topic = toHex(random(32));
  const content = random(CONTENT_BYTES);
  const { promise, resolve } = Promise.withResolvers<RelayCheck>();
  let readyAt: number | undefined;
  let cancel = (): void => undefined;
  const end = (problem?: string, echoMs?: number): void => {
    cancel();
    connection?.close();
    const readyMs = readyAt === undefined ? undefined : readyAt - begun;
    resolve({ url, readyMs, echoMs, problem });
  };
  let connection: RelayConnection | undefined;
  try {
    connection = new RelayConnection({
      url,
      topics: [topic],
      openSocket,
      clock,
      random,
      onReady: () => {
        readyAt = clock.now();
        cancel = clock.after(ECHO_MS, () => end("it does not pass messages on"));
        connection?.publish(topic, content, random(32));
      },
      onMessage: (_topic, came) => {
        if (readyAt !== undefined && toHex(came) === toHex(content)) end(undefined, clock.now() - readyAt);
      },
      onRefused: (reason) => end(`it refuses: ${reason}`),
      onClosed: (reason) => end(reason),
    });
  } catch (error) {
    end(String(error));
  }
  return promise;
}
