// Makes a lab with daemons in it, says its prefix and a pid in it, and waits.
import { Lab } from "../lab/index.ts";

const lab = await Lab.create();
const gateway = await lab.gateway({ upnp: { igd: 2 } });
const host = await gateway.host();
// What a shell starts in a process group of its own must go as well.
const child = host.spawn(["setsid", "sh", "-c", "echo $$; sleep 1000"]);
const pid = Number(await child.waitForLine(/^\d+$/));
console.log(JSON.stringify({ prefix: lab.prefix, pid }));
setInterval(() => {}, 1_000);
