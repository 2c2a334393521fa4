import { type DiscoverLanOptions, discoverLan, lanGames, lanUrls } from "../../lan/discover.ts";
import { type LanGame } from "../../lan/listener.ts";

/** Options of `SallyportClient.discover` and `discoverEach`. */
export type DiscoverOptions = Omit<DiscoverLanOptions, "onGame" | "onLost">;

/** A game on the local network, as its host tells of it. Nothing of it is proven: anybody there can announce anything. */
export interface FoundGame {
  /** Stays the same for one host as long as it runs. */
  id: string;
  /** For `new SallyportClient(url)`: `http://192.168.1.10:7777`. */
  url: string;
  /** The host's words, without control characters; at most 128 bytes. To be shown as text, never as HTML. */
  description: string;
  /** How many play. */
  players: number;
  /** 0: not said. */
  maxPlayers: number;
  /** What the game put there; empty if nothing. */
  version: string;
}

export async function discoverGames(options: DiscoverOptions = {}): Promise<FoundGame[]> {
  return (await discoverLan(options)).flatMap(gamesOf);
}

export async function* discoverEachGame(options: DiscoverOptions = {}): AsyncGenerator<FoundGame> {
  for await (const game of lanGames(options)) yield* gamesOf(game);
}

/** None where no URL can name its address; once it is heard by IPv4 it comes again. */
function gamesOf(game: LanGame): FoundGame[] {
  const [url] = lanUrls(game);
  if (url === undefined) return [];
  const { id, name: description, players, maxPlayers, version } = game;
  return [{ id, url, description, players, maxPlayers, version }];
}
