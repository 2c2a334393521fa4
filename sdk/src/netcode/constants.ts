/** Numbers of netcode 1.02 (STANDARD.md of mas-bandwidth/netcode). Sizes in bytes. */

/** "NETCODE 1.02" and a zero byte: begins tokens and requests, and is part of every associated data. */
export const VERSION: Uint8Array = new TextEncoder().encode("NETCODE 1.02\0");

export const KEY_BYTES = 32;
export const TAG_BYTES = 16;
export const TOKEN_NONCE_BYTES = 24;
export const USER_DATA_BYTES = 256;
export const CONNECT_TOKEN_BYTES = 2048;
export const PRIVATE_TOKEN_BYTES = 1024;
export const PRIVATE_TOKEN_PLAIN_BYTES: number = PRIVATE_TOKEN_BYTES - TAG_BYTES;
export const CHALLENGE_TOKEN_BYTES = 300;
export const CHALLENGE_TOKEN_PLAIN_BYTES: number = CHALLENGE_TOKEN_BYTES - TAG_BYTES;
export const REQUEST_BYTES = 1078;
/** Version (13), protocol id (8), expire timestamp (8). */
export const TOKEN_AAD_BYTES = 29;
/** Version (13), protocol id (8), prefix byte. */
export const PACKET_AAD_BYTES = 22;
export const MAX_SERVER_ADDRESSES = 32;

/** The largest datagram that is looked at. */
export const MAX_PACKET_BYTES = 1300;
/** The largest payload of one packet; the smallest is one byte. */
export const MAX_PAYLOAD_BYTES = 1200;
/** What either end may allow instead, where both know of it: with its seal a datagram of 1452 bytes, which Ethernet carries over IPv6. */
export const MAX_LONG_PAYLOAD_BYTES = 1427;
/** What a payload's packet has beside it at the most: prefix, eight sequence bytes, tag. */
export const PAYLOAD_OVERHEAD_BYTES = 25;
/** Prefix, one sequence byte, tag. */
export const MIN_ENCRYPTED_PACKET_BYTES = 18;

export const REPLAY_WINDOW = 256;
export const SEND_INTERVAL_MS = 100;
/** Disconnect is not acknowledged, so it is said ten times. */
export const DISCONNECT_PACKETS = 10;

/** Packet types, the low four bits of the first byte. */
export const PACKET_REQUEST = 0;
export const PACKET_DENIED = 1;
export const PACKET_CHALLENGE = 2;
export const PACKET_RESPONSE = 3;
export const PACKET_KEEP_ALIVE = 4;
export const PACKET_PAYLOAD = 5;
export const PACKET_DISCONNECT = 6;
