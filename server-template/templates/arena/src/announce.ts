/** Tells whoever hosts how friends get in. */
import type { SallyportTransport } from "sallyport/colyseus";

export async function announce({ connectivity, lan, registration }: SallyportTransport, port: number): Promise<void> {
  const [address] = lan?.state.addresses ?? [];
  const host = address?.includes(":") ? `[${address}]` : address;
  if (host) console.log(`On this network: http://${host}:${port}, or npm run play -- lan`);
  let invited = "";
  registration?.on("registered", ({ code, url }) => {
    if (url !== invited) console.log(`Invite your friends: ${code}   ${url}`);
    invited = url;
  });
  registration?.on("lost", ({ message }) => console.error(`No lobby for now, trying on: ${message}`));
  registration?.on("failed", ({ message }) => console.error(`No lobby: ${message}`));

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
