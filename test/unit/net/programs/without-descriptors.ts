// Asks this and that of the system while it has no descriptor for us; prints what came of it. To be run with few of them.
import { closeSync, openSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { UDPLanNetwork } from "../../../../sdk/src/lan/network.ts";
import { natBehaviour } from "../../../../sdk/src/nat/behaviour-discovery.ts";
import { natLifetime } from "../../../../sdk/src/nat/lifetime-discovery.ts";
import { probePort } from "../../../../sdk/src/nat/probe.ts";
import { readDefaultRoutes } from "../../../../sdk/src/net/default-route.ts";
import { readInterfaces } from "../../../../sdk/src/net/interfaces.ts";
import { UDPSocket } from "../../../../sdk/src/net/udp-socket.ts";

const { lanPort } = JSON.parse(process.argv[2] ?? "{}") as { lanPort: number };
const server = { address: "127.0.0.1", port: 9 };
const before = { interfaces: readInterfaces(), routes: await readDefaultRoutes() };
await using socket = UDPSocket.open({ address: "127.0.0.1" });

const held: number[] = [];
try {
  for (;;) held.push(openSync("/dev/null", "r"));
} catch {
  // That was the last one.
}
let system = "";
try {
  networkInterfaces();
} catch (error) {
  system = (error as { code: string }).code;
}
const lan = new UDPLanNetwork({ address: "127.0.0.1", port: lanPort });
const during = {
  system,
  interfaces: readInterfaces(),
  routes: await readDefaultRoutes(),
  socket: UDPSocket.tryOpen(),
  probe: await probePort(socket, server, 7777, { timeoutMs: 100 }),
  behaviour: (await natBehaviour(socket, "127.0.0.1:9", { timeoutMs: 100, silenceMs: 100 })).mapping,
  lifetime: (await natLifetime(["127.0.0.1:9"], { waitsMs: [10] })).outcome,
};
for (const descriptor of held) closeSync(descriptor);

// The LAN hears again.
lan.refresh();
const heard = new Promise<string>((resolve) => {
  lan.onPacket = (datagram) => resolve(Buffer.from(datagram).toString());
});
const neighbour = new UDPLanNetwork({ address: "127.0.0.1", port: lanPort });
const again = setInterval(() => neighbour.multicast(Buffer.from("hello")), 50);
const hello = await heard;
clearInterval(again);
await Promise.all([lan.close(), neighbour.close()]);
console.log(JSON.stringify({ before, during: { ...during, socket: during.socket !== null }, hello }));
