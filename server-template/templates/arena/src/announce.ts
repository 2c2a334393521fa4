/** Tells whoever hosts how friends get in. */
import type { Reachability } from "sallyport";
import type { SallyportTransport } from "sallyport/colyseus";

export async function announce({ connectivity, registration }: SallyportTransport): Promise<void> {
  let invited = "";
  registration?.on("registered", ({ code, url }) => {
    if (url !== invited) console.log(`Invite your friends: ${code}   ${url}`);
    invited = url;
  });
  registration?.on("lost", ({ message }) => console.error(`No lobby for now, trying on: ${message}`));
  registration?.on("failed", ({ message }) => console.error(`No lobby: ${message}`));

  let said = "";
  const tell = ({ summary }: Reachability): void => {
    if (summary !== said) console.log(summary);
    said = summary;
  };
  connectivity?.on("change", tell);
  if (connectivity !== undefined) tell(await connectivity.open());
}
