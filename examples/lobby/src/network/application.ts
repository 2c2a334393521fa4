/** What hosts and players call this game on the local network. */
export const APPLICATION = "sallyport-arena";
