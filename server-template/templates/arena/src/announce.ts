/** Tells whoever hosts how friends get in. */
import type { SallyportTransport } from "sallyport/colyseus";

export async function announce({ connectivity, lan, registration }: SallyportTransport, port: number): Promise<void> {
  const [address] = lan?.state.addresses ?? [];
  const host = address?.includes(":") ? `[${address}]` : address;
  if (host) console.log(`On this network: http://${host}:${port}, or npm run play -- lan`);
  if (process.env.LOBBY_URL === "public") {
    console.log("Public relays bring friends to you: they see this computer's public address, and the time.");
  }
  let invited = "";
  registration?.on("registered", ({ code, url }) => {
    // Where no page belongs to the invite, its code is passed on.
    if (url !== invited) console.log(`Invite your friends: ${code}${url.startsWith("http") ? `   ${url}` : ""}`);
    invited = url;
  });
  registration?.on("lost", ({ message }) => console.error(`No invite for now, trying on: ${message}`));
  registration?.on("failed", ({ message }) => console.error(`No invite: ${message}`));

  if (connectivity === undefined) return;
  console.log("Looking for a way in for players …");
  let said = "";
  let isSettled = false;
  const tell = (): void => {
    const { summary, verdict } = connectivity.reachability;
    // What is good is said at once, what is not only when all has been tried.
    const isOpen = verdict === "open" || verdict === "mapped";
    if (summary === said || (!isOpen && !isSettled)) return;
    said = summary;
    console.log(summary);
  };
  connectivity.on("change", tell);
  // What to do where this computer's own firewall keeps players out.
  connectivity.on("step", ({ step, reason }) => step === "firewall" && console.error(reason));
  await connectivity.open();
  await connectivity.settled();
  isSettled = true;
  tell();
}
