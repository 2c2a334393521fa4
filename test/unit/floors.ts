/**
 * The house: on which floor each folder of sdk/src stands. A room uses only rooms on floors below it, and rooms of one floor do
 * not use each other.
 *
 * The linter's rules in .oxlintrc.floors.json are made from this table. After a change:
 *
 *     npx vitest run --project unit test/unit/floors.test.ts --update
 */
const FLOORS: readonly (readonly string[])[] = [
  ["net"],
  ["udp", "stun", "gateway", "netcode", "channel", "lan"],
  ["turn", "nat"],
  ["ice", "session"],
  ["connectivity", "rendezvous"],
  ["colyseus", "tunnel"],
  ["cli"],
  ["doors"],
];
/** The same within colyseus/. */
const COLYSEUS: readonly (readonly string[])[] = [
  ["wire"],
  ["webrtc", "websocket"],
  ["client", "server", "lobby"],
  ["browser"],
];
/** Besides colyseus/ and the doors: loaded only for a lobby's URL. */
const KNOWS_COLYSEUS = "rendezvous/mailbox/lobby.ts";

export const ROOMS: readonly string[] = FLOORS.flat();

export interface LintOverride {
  files: string[];
  rules: { "no-restricted-imports": ["error", { patterns: [{ regex: string; message: string }] }] };
}

const MESSAGE = "A room uses only rooms on floors below it: see test/unit/floors.ts.";

/** For oxlint: of the overrides that match a file, the last counts. A file never names its own room, so that a floor has one rule. */
export function floorRules(): LintOverride[] {
  const upFrom = (floors: typeof FLOORS, level: number): string[] => floors.slice(level).flat();
  const rooms = FLOORS.slice(0, -1).map((floor, level) => override(floor, upFrom(FLOORS, level), ["@colyseus/"]));
  const lobby = override([KNOWS_COLYSEUS], upFrom(FLOORS, 4), []);
  const colyseus = COLYSEUS.map((floor, level) =>
    override(
      floor.map((part) => `colyseus/${part}`),
      [...upFrom(COLYSEUS, level), ...upFrom(FLOORS, 5)],
      level === 0 ? ["@colyseus/", "node:"] : [],
    ),
  );
  return [...rooms, lobby, ...colyseus];
}

/** @param forbidden folders of ours; @param packages beginnings of other names */
function override(places: readonly string[], forbidden: readonly string[], packages: readonly string[]): LintOverride {
  const folders = forbidden.map((name) => `${name}/`);
  const regex = `^(?:(?:\\.\\./)+(?:${folders.join("|")})|${["sallyport\\b", ...packages].join("|")})`;
  return {
    files: places.map((place) => `sdk/src/${place}${place.endsWith(".ts") ? "" : "/**"}`),
    rules: { "no-restricted-imports": ["error", { patterns: [{ regex, message: MESSAGE }] }] },
  };
}
