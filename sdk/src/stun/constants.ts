/** RFC 8489 section 5. */
export const MAGIC_COOKIE = 0x2112a442;
/** Length of a STUN header (RFC 8489 section 5). */
export const STUN_HEADER_BYTES = 20;
export const TRANSACTION_ID_BYTES = 12;
/** RFC 8489 section 4.2. */
export const STUN_PORT = 3478;
/** RFC 8489 section 14.7: "STUN" in ASCII. */
export const FINGERPRINT_XOR = 0x5354554e;

/** RFC 8489 section 18.2, RFC 8656 section 17. */
export const StunMethod = {
  /** Asks for one's own address (RFC 8489). */
  BINDING: 0x001,
  /** Asks for a relayed address (RFC 8656 section 7). */
  ALLOCATE: 0x003,
  /** Prolongs or ends an allocation (RFC 8656 section 8). */
  REFRESH: 0x004,
  /** Data for a peer (RFC 8656 section 11). */
  SEND: 0x006,
  /** Data of a peer (RFC 8656 section 11). */
  DATA: 0x007,
  /** Lets a peer in (RFC 8656 section 10). */
  CREATE_PERMISSION: 0x008,
  /** Gives a peer a channel (RFC 8656 section 12). */
  CHANNEL_BIND: 0x009,
} as const;

/** RFC 8489 section 18.3, RFC 5780 section 7, RFC 8445 section 16.1, RFC 8656 section 18. */
export const StunAttribute = {
  /** The address that a server saw, of old servers (RFC 8489 section 14.1). */
  MAPPED_ADDRESS: 0x0001,
  /** Asks for an answer from elsewhere (RFC 5780 section 7.2). */
  CHANGE_REQUEST: 0x0003,
  /** Whose request it is (RFC 8489 section 14.3). */
  USERNAME: 0x0006,
  /** HMAC-SHA1 of the message (RFC 8489 section 14.5). */
  MESSAGE_INTEGRITY: 0x0008,
  /** Why a request is refused (RFC 8489 section 14.8). */
  ERROR_CODE: 0x0009,
  /** Types that the server does not know (RFC 8489 section 14.9). */
  UNKNOWN_ATTRIBUTES: 0x000a,
  /** A TURN channel (RFC 8656 section 18.1). */
  CHANNEL_NUMBER: 0x000c,
  /** Seconds that a TURN allocation lasts (RFC 8656 section 18.2). */
  LIFETIME: 0x000d,
  /** A peer of a TURN client (RFC 8656 section 18.3). */
  XOR_PEER_ADDRESS: 0x0012,
  /** What TURN relays (RFC 8656 section 18.4). */
  DATA: 0x0013,
  /** Where credentials hold (RFC 8489 section 14.9). */
  REALM: 0x0014,
  /** What a request has to repeat (RFC 8489 section 14.10). */
  NONCE: 0x0015,
  /** What a TURN server relays for (RFC 8656 section 18.5). */
  XOR_RELAYED_ADDRESS: 0x0016,
  /** The family of a relayed address (RFC 8656 section 18.6). */
  REQUESTED_ADDRESS_FAMILY: 0x0017,
  /** Asks for an even port (RFC 8656 section 18.7). */
  EVEN_PORT: 0x0018,
  /** What a relayed address carries (RFC 8656 section 18.8). */
  REQUESTED_TRANSPORT: 0x0019,
  /** Asks a TURN server not to fragment (RFC 8656 section 18.9). */
  DONT_FRAGMENT: 0x001a,
  /** HMAC-SHA256 of the message (RFC 8489 section 14.6). */
  MESSAGE_INTEGRITY_SHA256: 0x001c,
  /** How a key is made of a password (RFC 8489 section 14.12). */
  PASSWORD_ALGORITHM: 0x001d,
  /** A hash of name and realm (RFC 8489 section 14.4). */
  USERHASH: 0x001e,
  /** The address that a server saw (RFC 8489 section 14.2). */
  XOR_MAPPED_ADDRESS: 0x0020,
  /** A relayed port kept for later (RFC 8656 section 18.10). */
  RESERVATION_TOKEN: 0x0022,
  /** Of a candidate (RFC 8445 section 16.1). */
  PRIORITY: 0x0024,
  /** Nominates a pair (RFC 8445 section 16.1). */
  USE_CANDIDATE: 0x0025,
  /** Makes a message longer (RFC 5780 section 7.6). */
  PADDING: 0x0026,
  /** Asks for an answer to another port (RFC 5780 section 7.5). */
  RESPONSE_PORT: 0x0027,
  /** Asks for a second relayed address (RFC 8656 section 18.11). */
  ADDITIONAL_ADDRESS_FAMILY: 0x8000,
  /** Why one family was not allocated (RFC 8656 section 18.12). */
  ADDRESS_ERROR_CODE: 0x8001,
  /** Those that the server knows (RFC 8489 section 14.11). */
  PASSWORD_ALGORITHMS: 0x8002,
  /** Whose certificate the other server shows (RFC 8489 section 14.16). */
  ALTERNATE_DOMAIN: 0x8003,
  /** An ICMP message for the relayed address (RFC 8656 section 18.13). */
  ICMP: 0x8004,
  /** Names a program (RFC 8489 section 14.14). */
  SOFTWARE: 0x8022,
  /** Ask this server instead (RFC 8489 section 14.15). */
  ALTERNATE_SERVER: 0x8023,
  /** CRC-32, which tells STUN from other packets (RFC 8489 section 14.7). */
  FINGERPRINT: 0x8028,
  /** The tie breaker of the controlled side (RFC 8445 section 16.1). */
  ICE_CONTROLLED: 0x8029,
  /** The tie breaker of the controlling side (RFC 8445 section 16.1). */
  ICE_CONTROLLING: 0x802a,
  /** Where an answer came from (RFC 5780 section 7.3). */
  RESPONSE_ORIGIN: 0x802b,
  /** The server's other address and port (RFC 5780 section 7.4). */
  OTHER_ADDRESS: 0x802c,
} as const;

/** Attributes below this number must be understood, those from it on may be ignored (RFC 8489 section 14). */
export const COMPREHENSION_OPTIONAL = 0x8000;

/** RFC 8489 section 14.8, RFC 8656 section 19, RFC 8445 section 16.2. */
export const StunErrorCode = {
  /** Ask another server. */
  TRY_ALTERNATE: 300,
  /** The request is malformed. */
  BAD_REQUEST: 400,
  /** Credentials are wanted, or wrong. */
  UNAUTHENTICATED: 401,
  /** The server will not do it. */
  FORBIDDEN: 403,
  /** The server does not know an attribute that it has to understand. */
  UNKNOWN_ATTRIBUTE: 420,
  /** There is an allocation, or none. */
  ALLOCATION_MISMATCH: 437,
  /** The nonce is too old: ask with the new one. */
  STALE_NONCE: 438,
  /** The server has no addresses of this family. */
  ADDRESS_FAMILY_NOT_SUPPORTED: 440,
  /** Not those with which the allocation was made. */
  WRONG_CREDENTIALS: 441,
  /** The server relays no such transport. */
  UNSUPPORTED_TRANSPORT_PROTOCOL: 442,
  /** The peer's family is not the allocation's. */
  PEER_ADDRESS_FAMILY_MISMATCH: 443,
  /** This user has as many allocations as it may. */
  ALLOCATION_QUOTA_REACHED: 486,
  /** Both ICE agents have the same role. */
  ROLE_CONFLICT: 487,
  /** The server failed: try again. */
  SERVER_ERROR: 500,
  /** The server has no more room. */
  INSUFFICIENT_CAPACITY: 508,
} as const;

/** CHANGE-REQUEST's flags, RFC 5780 section 7.2. */
export const CHANGE_IP = 0x04;
/** CHANGE-REQUEST's flag: the answer comes from the other port. */
export const CHANGE_PORT = 0x02;
