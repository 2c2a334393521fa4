/** Hostile datagrams to a real host, with a player in the game. */
import { Lab } from "../lab/lab/index.ts";
import { prepare } from "../lab/lab/prepare.ts";
import type { FloodArgs, FloodReport } from "./attack/flood.ts";
import { addressesOf, GAME_PORT, gameUrl, held, join, memoryOf, mib, startHost } from "./attack/programs.ts";
import type { SoakResult, SoakSizes } from "./row.ts";

const FLOOD = new URL("./attack/flood.ts", import.meta.url);
const SOURCES = 64;
const PER_SECOND = 16_000;
/** The host's WebRTC port. */
const WEBRTC_PORT = GAME_PORT + 10_000;
/** To the game's port four times as many as to WebRTC's. */
const PORTS = [GAME_PORT, GAME_PORT, GAME_PORT, GAME_PORT, WEBRTC_PORT];
/** The host may hold so much more than before. */
const GROWTH = 20 << 20;
/** RFC 9000 section 8. */
const LIMIT = 3;

export async function* soak({ datagrams }: SoakSizes): AsyncIterable<SoakResult> {
  const missing = prepare();
  if (missing !== undefined) throw new Error(`no NAT lab here: ${missing}`);
  await using lab = await Lab.create();
  const [home, friend, stranger] = await Promise.all([lab.host(), lab.host(), lab.host()]);
  const game = await startHost(home);
  const seed = Date.now() >>> 0;
  const args: FloodArgs = {
    url: gameUrl(home),
    address: home.address,
    ports: PORTS,
    count: datagrams,
    perSecond: PER_SECOND,
    from: await addressesOf(stranger, SOURCES),
    seed,
  };
  // All that is loaded and compiled late is there before the first look.
  await stranger.spawnModule(FLOOD, { ...args, count: 20_000 }).exited;
  const before = await memoryOf(game);
  // Somewhat longer than the flood.
  const { result } = join(friend, gameUrl(home), 1.2 * (datagrams / PER_SECOND) + 15);
  await game.waitForJson(({ event, players }) => event === "joined" && players === 1, 30_000);

  const flood = stranger.spawnModule(FLOOD, args);
  const { sent, bytes, seconds, replyBytes } = await flood.waitForJson<FloodReport>(
    ({ event }) => event === "flooded",
    3_600_000,
  );
  const played = await result;
  const late = await join(friend, gameUrl(home), 2).result;
  const after = await memoryOf(game);
  const growth = held(after) - held(before);
  const wrong = [
    game.ended && "the host has ended",
    growth > GROWTH && `the host holds ${mib(growth)} more`,
    replyBytes > LIMIT * bytes && `${replyBytes} bytes came back for ${bytes}`,
    (played.lost > 0 || played.path !== "direct") && `the player: ${JSON.stringify(played)}`,
    (!late.connected || late.lost > 0) && `who came afterwards: ${JSON.stringify(late)}`,
  ].filter((line) => line !== false);
  yield {
    what: "hostile datagrams to a host",
    passed: wrong.length === 0 ? sent : 0,
    failed: wrong.length,
    ...(wrong.length > 0 && { detail: `seed ${seed}: ${wrong.join("; ")}` }),
    figures:
      `${sent} datagrams, ${mib(bytes)}, from ${SOURCES} addresses in ${seconds.toFixed(0)} s: ${replyBytes} bytes in reply; held ` +
      `${mib(held(before))} before, ${mib(held(after))} after; the player lost ${played.lost} of ${played.sent} reliable messages, p99 ` +
      `${played.rttMs?.p99 ?? "–"} ms`,
  };
}
