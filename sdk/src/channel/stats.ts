import type { ChannelStats } from "./wire/types.ts";

/** The statistics of an endpoint that has done nothing yet. */
export function freshStats(): ChannelStats {
  return {
    rttMs: 0,
    rttVarMs: 0,
    minRttMs: Infinity,
    latestRttMs: 0,
    loss: 0,
    packetsSent: 0,
    packetsReceived: 0,
    bytesSent: 0,
    bytesReceived: 0,
    packetsLost: 0,
    packetsSpuriouslyLost: 0,
    packetsDropped: 0,
    acksSent: 0,
    probes: 0,
    maxPacketBytes: 0,
    mtuProbes: 0,
    messagesSent: 0,
    messagesReceived: 0,
    retransmissions: 0,
    redundantBytes: 0,
    unreliableDropped: 0,
    congestionWindow: 0,
    bytesInFlight: 0,
    bufferedBytes: 0,
    receiveBufferedBytes: 0,
  };
}
