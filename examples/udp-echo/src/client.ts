// The client of the Godot documentation, in Node: says something until the server echoes it.
import { GodotError, PacketPeerUDP } from "sallyport";

const host = process.argv[2] ?? process.env["HOST"] ?? "127.0.0.1";
const port = Number(process.argv[3] ?? process.env["PORT"] ?? 4433);
const ANSWER_WITHIN_MS = 3000;
const AGAIN_AFTER_MS = 500;

const udp = new PacketPeerUDP();
const error = await udp.resolveDestAddress(host, port);
if (error !== GodotError.OK) {
  console.error(`Cannot reach ${host}:${port} (Godot's error ${error}): give a host and a port from 1 to 65535.`);
  process.exit(1);
}

const say = (): void => {
  udp.putPacket(Buffer.from("The answer is... 42!"));
};
say();
// UDP may lose a packet: say it again until somebody answers.
const again = setInterval(say, AGAIN_AFTER_MS);
const giveUp = setTimeout(() => {
  udp.close();
}, ANSWER_WITHIN_MS);

if ((await udp.wait()) === GodotError.OK) {
  console.log(`Connected: ${udp.getPacket().toString()}`);
} else {
  console.error(`No answer from ${host}:${port} within ${ANSWER_WITHIN_MS} ms.`);
  process.exitCode = 1;
}
clearInterval(again);
clearTimeout(giveUp);
udp.close();
