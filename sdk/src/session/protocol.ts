/** Version of the layout above netcode (PROTOCOL.md 2 and 3): counts up whenever older peers would misread. */
export const SESSION_PROTOCOL = 2 as const;
/** netcode's protocol id of every Sallyport session: "SALLYPO" and the version. */
export const SESSION_PROTOCOL_ID: bigint = 0x5341_4c4c_5950_4f00n + BigInt(SESSION_PROTOCOL);
