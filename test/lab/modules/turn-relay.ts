// Two relayed addresses of one machine talk to each other. Prints a line with what it saw.

import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { TurnError } from "../../../sdk/src/turn/errors.ts";
import { openTurnRelay } from "../../../sdk/src/turn/open.ts";

interface Args {
  urls: string[];
  username: string;
  credential: string;
  /** Datagrams there and back. */
  count: number;
}
const { urls, username, credential, count } = JSON.parse(process.argv[2] ?? "{}") as Args;

await using socket = UDPSocket.open();
await using other = UDPSocket.open();
const servers = [{ urls, username, credential }];
try {
  const begun = performance.now();
  await using a = await openTurnRelay({ socket, servers });
  const allocateMs = performance.now() - begun;
  await using b = await openTurnRelay({ socket: other, servers });
  b.permit(a.relayed.address);
  b.onData = (data, address, port) => b.send(data, address, port);
  const { address, port } = b.relayed;
  const done = new Promise<void>((resolve) => {
    let next = 1;
    const repeat = setInterval(() => a.send(Buffer.from(`${next}`), address, port), 200);
    a.onData = (data) => {
      if (data.toString() !== `${next}`) return;
      if (next++ === count) {
        clearInterval(repeat);
        resolve();
      } else a.send(Buffer.from(`${next}`), address, port);
    };
    a.send(Buffer.from(`${next}`), address, port);
  });
  await done;
  console.log(JSON.stringify({ transport: a.transport, relayed: a.relayed, mapped: a.mapped, allocateMs, count }));
} catch (error) {
  if (!(error instanceof TurnError)) throw error;
  console.log(JSON.stringify({ failure: error.failure, message: error.message }));
}
