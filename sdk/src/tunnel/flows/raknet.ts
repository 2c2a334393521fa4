/** RakNet's search for a datagram size, which Minecraft's Bedrock edition begins with. */

/** OPEN_CONNECTION_REQUEST_1: padded to 1492, then 1200, then 576 bytes with its headers; RakNet believes the largest that is answered. */
const OPEN_CONNECTION_REQUEST_1 = 0x05;
/** Behind it: the magic of offline messages. */
const MAGIC = Buffer.from("00ffff00fefefefefdfdfdfd12345678", "hex");

/**
 * Whether this is a padded probe. In fragments it would get through all the same, and RakNet would use fragments for the whole game;
 * where it is dropped, RakNet asks with a shorter one half a second later.
 */
export function isRakNetProbe(datagram: Uint8Array): boolean {
  if (datagram[0] !== OPEN_CONNECTION_REQUEST_1 || datagram.length < 1 + MAGIC.length) return false;
  for (let n = 0; n < MAGIC.length; n++) if (datagram[n + 1] !== MAGIC[n]) return false;
  return true;
}
