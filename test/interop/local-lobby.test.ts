/** A lobby that runs beside the host and is for the world: who comes by it comes from anywhere. */
import { afterEach, expect, test, vi } from "vitest";
import { LobbyListing } from "../../sdk/src/colyseus/server/listings/lobby-listing.ts";
import { ConnectivityManager } from "../../sdk/src/connectivity/manager/manager.ts";
import { introduce } from "../../sdk/src/rendezvous/guest/introduce.ts";
import { until } from "../until.ts";
import { startLobby } from "./rendezvous-lobby.ts";

afterEach(() => vi.restoreAllMocks());

test.each([
  { publicUrl: undefined, isLocal: true },
  { publicUrl: "http://localhost:2567/", isLocal: true },
  { publicUrl: "http://192.168.1.10:2567/", isLocal: true },
  { publicUrl: "http://5.5.5.5:2567/", isLocal: false },
  { publicUrl: "https://lobby.example/", isLocal: false },
])("known to players as $publicUrl is local: $isLocal", async ({ publicUrl, isLocal }) => {
  await using lobby = await startLobby(publicUrl === undefined ? {} : { publicUrl });
  const connectivity = new ConnectivityManager({ port: 7777 });
  const listing = new LobbyListing({ lobby: lobby.url, name: "Arena" }, connectivity);
  try {
    await until(() => listing.registration.invite !== undefined);
    expect(listing.isLocal).toBe(isLocal);
    listing.registration.on("introduction", (introduction) => introduction.onClose(() => undefined));
    const { code } = listing.registration.invite ?? { code: "" };
    using player = await introduce(code, { lobby: lobby.url });
    // Nobody elsewhere is sent to a loopback address.
    expect(player.details.endpoints.some((url) => url.includes("127.0.0.1"))).toBe(isLocal);
  } finally {
    await listing.close();
    await connectivity.close();
  }
});
