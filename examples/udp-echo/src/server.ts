// The UDPServer of the Godot documentation, in Node: it echoes what each peer sends. Godot's `_process` is an interval here.
import { GodotError, type PacketPeerUDP, UDPServer } from "sallyport";

const port = Number(process.env["PORT"] ?? 4433);
const server = new UDPServer();
const peers: PacketPeerUDP[] = [];

if (server.listen(port) !== GodotError.OK) {
  console.error(server.lastSocketError?.message ?? `Cannot listen on port ${port}: give a PORT from 0 to 65535.`);
  process.exit(1);
}
console.log(`Echoing on UDP port ${server.getLocalPort()}. Ctrl-C ends.`);

function tick(): void {
  server.poll(); // Important!
  if (server.isConnectionAvailable()) {
    const peer = server.takeConnection();
    if (peer !== null) {
      const packet = peer.getPacket();
      console.log(`Accepted peer: ${peer.getPacketIp()}:${peer.getPacketPort()}`);
      console.log(`Received data: ${JSON.stringify(packet.toString())}`);
      // Reply so it knows we received the message.
      peer.putPacket(packet);
      // Keep a reference so we can keep contacting the remote peer.
      peers.push(peer);
    }
  }
  for (const peer of peers) {
    while (peer.getAvailablePacketCount() > 0) {
      const packet = peer.getPacket();
      console.log(`Received data: ${JSON.stringify(packet.toString())}`);
      peer.putPacket(packet);
    }
  }
}

const process_ = setInterval(tick, 1000 / 60);

function stop(): void {
  clearInterval(process_);
  server.stop();
}
process.once("SIGINT", stop);
process.once("SIGTERM", stop);
