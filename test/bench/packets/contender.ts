/** What each contender of the packet benchmark does: the same messages between one server and its peers, by its own means. */

/** One tick: the server sends each peer `messages` messages of `bytes`, and each peer as many to the server. */
export interface Shape {
  peers: number;
  messages: number;
  bytes: number;
}

/** What arrives is told here. */
export type Arrived = () => void;

export interface Contender {
  /** Sends one tick's messages, both ways. */
  tick(): void;
  /** Datagrams sent so far by both sides; 0 where there are none. */
  datagrams?(): number;
  close(): Promise<void> | void;
}

export type Make = (shape: Shape, arrived: Arrived) => Promise<Contender>;

export const LOOPBACK = "127.0.0.1";
/** Every UDP contender asks for as much, so that none loses what the others keep. */
export const RECEIVE_BUFFER_BYTES = 1 << 20;
