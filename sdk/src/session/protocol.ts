/** netcode's protocol id of every Sallyport session: "SALLYPO" and the version of the layout above netcode. */
export const SESSION_PROTOCOL_ID = 0x5341_4c4c_5950_4f01n;
