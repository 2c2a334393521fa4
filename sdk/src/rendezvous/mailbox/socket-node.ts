/** Streams to relays in Node. */
import { connect as connectTCP, type Socket } from "node:net";
import { connect as connectTLS } from "node:tls";
import { Agent, WebSocket } from "undici";
import { addressFamily } from "../../net/address.ts";
import { messageOf } from "../../net/message-of.ts";
import { type OpenRelaySocket, openWebSocket, type RelaySocket, type RelaySocketEvents } from "./socket.ts";

/**
 * A relay's longer message ends the connection before it is read. Nostr's relays take events of up to 64 KiB, and brokers packets of
 * 1 MiB, which strangers may send to a topic of ours.
 */
const MAX_MESSAGE_BYTES = 1_100_000;
/** Of what we send, so much may wait for a relay that does not read. */
const MAX_UNSENT_BYTES = 262_144;

let agent: Agent | undefined;

export const openNodeSocket: OpenRelaySocket = (url, events) => {
  if (/^wss?:/.test(url)) {
    return openWebSocket(url, events, (href, protocols) => {
      agent ??= new Agent({ webSocket: { maxPayloadSize: MAX_MESSAGE_BYTES } });
      return new WebSocket(href, { protocols, dispatcher: agent });
    });
  }
  return openStream(new URL(url), events);
};

/** MQTT's ports are IANA's: 1883, and 8883 with TLS. */
function openStream(url: URL, { onOpen, onData, onClose }: RelaySocketEvents): RelaySocket {
  const isSecure = url.protocol === "mqtts:";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port || (isSecure ? 8883 : 1883));
  // SNI carries no addresses (RFC 6066 section 3), and Node throws at one. The certificate must hold the host in either case.
  const identity = addressFamily(host) === 0 ? { servername: host } : {};
  const socket: Socket = isSecure ? connectTLS({ host, port, ...identity }) : connectTCP({ host, port });
  socket.setNoDelay(true);
  let isOver = false;
  const over = (reason: string): void => {
    if (isOver) return;
    isOver = true;
    socket.destroy();
    onClose(reason);
  };
  socket.on(isSecure ? "secureConnect" : "connect", () => isOver || onOpen());
  socket.on("data", (data: Buffer) => isOver || onData(new Uint8Array(data)));
  socket.on("error", (error) => over(messageOf(error)));
  socket.on("close", () => over("it closed the connection"));
  return {
    send: (data) => {
      if (isOver) return;
      if (socket.writableLength > MAX_UNSENT_BYTES) over("it reads nothing");
      else socket.write(data);
    },
    close: () => {
      isOver = true;
      socket.destroySoon();
    },
  };
}
