// Our own STUN server on one address, as a lobby runs it; or a plain one, of RFC 8489 alone.

import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { STUN_PORT } from "../../../sdk/src/stun/constants.ts";
import { respondToStun } from "../../../sdk/src/stun/responder.ts";
import { StunServer } from "../../../sdk/src/stun/server.ts";

const { ignoresResponsePort } = JSON.parse(process.argv[2] ?? "{}") as { ignoresResponsePort?: boolean };
if (ignoresResponsePort === true) {
  const socket = UDPSocket.open({ port: STUN_PORT });
  socket.onDatagram = (data, address, port) => {
    const reply = respondToStun(data, { address, port });
    if (reply !== null) socket.send(reply.data, port, address);
  };
} else {
  StunServer.open();
}
console.log("listening");
