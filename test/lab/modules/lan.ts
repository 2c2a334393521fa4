// Announces a game until its input ends, or searches and prints what it found.

import { LanAnnouncer } from "../../../sdk/src/lan/announcer.ts";
import { discoverLan } from "../../../sdk/src/lan/discover.ts";

interface Args {
  announce?: { name: string; port: number };
  timeoutMs?: number;
}
const { announce, timeoutMs } = JSON.parse(process.argv[2] ?? "{}") as Args;
const application = "lab";

if (announce === undefined) {
  console.log(JSON.stringify(await discoverLan({ application, ...(timeoutMs === undefined ? {} : { timeoutMs }) })));
} else {
  const announcer = new LanAnnouncer({ application, ...announce });
  console.log(JSON.stringify({ event: "announcing" }));
  process.on("SIGTERM", () => {
    void announcer.close().then(() => {
      console.log(JSON.stringify({ event: "closed" }));
      clearInterval(alive);
    });
  });
  const alive = setInterval(() => undefined, 60_000);
}
