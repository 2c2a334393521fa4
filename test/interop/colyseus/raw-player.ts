import { writePacketHeader } from "../../../sdk/src/channel/wire/reliable-header.ts";
import { requestToken } from "../../../sdk/src/colyseus/client/token-request.ts";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { NetcodeClient } from "../../../sdk/src/netcode/client.ts";
import { netcodeReady } from "../../../sdk/src/netcode/sodium.ts";
import { NetcodeClientState } from "../../../sdk/src/netcode/types.ts";
import { until } from "../../until.ts";

export interface RawSeat {
  sessionId: string;
  roomId: string;
  processId: string;
}

/** Where Colyseus' clients open a WebSocket for a seat. */
export const seatURL = (url: string, { processId, roomId, sessionId }: RawSeat): URL =>
  new URL(`${url.replace("http", "ws")}/${processId}/${roomId}?sessionId=${sessionId}`);

/** A player with a real session over UDP, who says in it what he likes, and acknowledges nothing. */
export class RawPlayer implements AsyncDisposable {
  readonly #socket = UDPSocket.open({ address: "127.0.0.1" });
  readonly #netcode: NetcodeClient;
  readonly #timer: NodeJS.Timeout;
  #sequence = 0;

  private constructor() {
    this.#netcode = new NetcodeClient({ send: (data) => this.#send(data), stateChanged: () => {}, payload: () => {} });
    this.#socket.onDatagram = (data, address, port) => {
      this.#netcode.receive(data, address, port, performance.now());
    };
    this.#timer = setInterval(() => this.#netcode.update(performance.now()), 20);
  }

  static async enter(url: string, seat: RawSeat): Promise<RawPlayer> {
    await netcodeReady();
    const { token } = await requestToken(seatURL(url, seat), {}, AbortSignal.timeout(20_000));
    const player = new RawPlayer();
    player.#netcode.connect(token, performance.now());
    player.#netcode.update(performance.now());
    await until(() => player.connected, { what: "a session" });
    return player;
  }

  get connected(): boolean {
    return this.#netcode.state === NetcodeClientState.connected;
  }

  /** A packet with these frames, behind a control byte that asks for no acknowledgement. */
  say(...frames: readonly Uint8Array[]): void {
    const packet = new Uint8Array(1200);
    let at = writePacketHeader(packet, 0, this.#sequence, 0xffff, 0) + 1;
    this.#sequence = (this.#sequence + 1) & 0xffff;
    for (const frame of frames) {
      packet.set(frame, at);
      at += frame.length;
    }
    this.#netcode.send(packet.subarray(0, at), performance.now());
  }

  /** Any payload. */
  sayRaw(payload: Uint8Array): void {
    this.#netcode.send(payload, performance.now());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#netcode.disconnect(performance.now());
    await this.#socket.close();
  }

  #send(data: Uint8Array): void {
    const server = this.#netcode.serverAddress;
    if (server) this.#socket.send(data, server.port, server.address);
  }
}

/** PROTOCOL 2.3. */
export const MODE = { unreliable: 0, unordered: 2, reliable: 3 } as const;

/** A frame that holds a whole message. */
export function wholeFrame(mode: number, channel: number, id: number, length: number, fill = 7): Uint8Array {
  return Uint8Array.from([mode | 8, channel, id & 0xff, id >>> 8, ...varint(length), ...filled(length, fill)]);
}

/** A frame that holds blocks of a message of `total` bytes, from the block `first` on. */
export function sliceFrame(
  mode: number,
  channel: number,
  id: number,
  slice: { total: number; first: number; length: number },
): Uint8Array {
  const { total, first, length } = slice;
  const head = [mode | 12, channel, id & 0xff, id >>> 8, ...varint(total), ...varint(first), ...varint(length)];
  return Uint8Array.from([...head, ...filled(length, 7)]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
}

const filled = (length: number, value: number): number[] => Array.from({ length }, () => value);
