import { REFUSED_FORGED, REFUSED_REPLAY, REFUSED_SIZE, REFUSED_TYPE } from "./packet.ts";

/** What a server did with the datagrams handed to it, since construction. */
export interface NetcodeServerCounters {
  /** Datagrams handed to `receive`. */
  received: number;
  /** Of these, the ones that did something. */
  accepted: number;

  /** Empty, one byte, below 18 bytes, or above 1300. */
  refusedSize: number;
  /** From an address that is neither connected nor in a handshake. */
  refusedNoKey: number;
  /** Type unknown or not for a server, sequence length outside 1 to 8, or a type that fits no state. */
  refusedType: number;
  /** Already received, or older than the window. */
  refusedReplay: number;
  /** Did not decrypt: forged, damaged, or under another key. */
  refusedForged: number;
  /** Authentic, but of a wrong size for its type. */
  refusedBody: number;

  /** Request: not 1078 bytes, wrong version or wrong protocol id. */
  requestMalformed: number;
  /** Request: the token's lifetime is over. */
  requestExpired: number;
  /** Request: the token could have been used before this server started. */
  requestPredatesStart: number;
  /** Request: the private token did not decrypt or could not be read. */
  requestForged: number;
  /** Request: this server's address is not in the private token. */
  requestOtherServer: number;
  /** Request: the address or the client id is already connected. */
  requestConnected: number;
  /** Request: the token was used, or is in use from another address. */
  requestTokenUsed: number;
  /** Request: token history or handshake table is full of unexpired entries. */
  requestOverload: number;

  /** Response: the challenge token did not decrypt, or is another client's. */
  responseForged: number;
  /** Response: the address or the client id is already connected. */
  responseConnected: number;

  /** Challenges sent. */
  challenged: number;
  /** Denied packets sent: the server was full. */
  denied: number;
  /** Clients that got a slot. */
  connected: number;
  /** Clients that left, by reason. */
  disconnectedTimeout: number;
  /** Clients that said goodbye. */
  disconnectedClient: number;
  /** Clients that the server disconnected. */
  disconnectedServer: number;
}

export function newServerCounters(): NetcodeServerCounters {
  return {
    received: 0,
    accepted: 0,
    refusedSize: 0,
    refusedNoKey: 0,
    refusedType: 0,
    refusedReplay: 0,
    refusedForged: 0,
    refusedBody: 0,
    requestMalformed: 0,
    requestExpired: 0,
    requestPredatesStart: 0,
    requestForged: 0,
    requestOtherServer: 0,
    requestConnected: 0,
    requestTokenUsed: 0,
    requestOverload: 0,
    responseForged: 0,
    responseConnected: 0,
    challenged: 0,
    denied: 0,
    connected: 0,
    disconnectedTimeout: 0,
    disconnectedClient: 0,
    disconnectedServer: 0,
  };
}

/** Counts what `PacketCodec.open` refused. */
export function countRefused(counters: NetcodeServerCounters, refusal: number): void {
  if (refusal === REFUSED_SIZE) counters.refusedSize++;
  else if (refusal === REFUSED_TYPE) counters.refusedType++;
  else if (refusal === REFUSED_REPLAY) counters.refusedReplay++;
  else if (refusal === REFUSED_FORGED) counters.refusedForged++;
  else counters.refusedBody++;
}
