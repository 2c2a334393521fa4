// A player on the release of Sallyport that stands beside this file: joins, says something, and tells by what path.
import { SallyportClient } from "sallyport/client";

const { url, invite } = JSON.parse(process.argv[2] ?? "{}") as { url?: string; invite?: string };
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
try {
  const client = invite === undefined ? new SallyportClient(url) : await SallyportClient.fromInvite(invite);
  let asked = 0;
  let tookMs = 0;
  const room = await client.joinOrCreate("echo", {}, undefined, {
    // From here on the seat is there, and the way in is looked for.
    onProgress: ({ stage, ms }) => {
      if (stage === "token") asked = ms;
      if (stage === "joined") tookMs = ms - asked;
    },
  });
  const { kind, reason } = room.path;
  const echo = new Promise((resolve) => {
    room.onMessage("echo", resolve);
  });
  room.send("echo", "hello");
  say({ event: "joined", kind, reason, echo: await echo, tookMs });
  await room.leave();
} catch (error) {
  say({ event: "failed", message: error instanceof Error ? error.message : String(error) });
}
process.exit();
