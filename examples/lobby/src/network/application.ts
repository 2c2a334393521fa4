/** What hosts and players call this game on the local network. */
export const APPLICATION = "sallyport-arena";

/** Of a game whose host chose no other, UDP and TCP. */
export const DEFAULT_GAME_PORT = 7777;
