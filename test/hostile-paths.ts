import * as fc from "fast-check";

const DOORS = ["matchmake", "auth", "sallyport"];
const UP = ["..", "%2e%2e", "%2E.", ".%2e", "..;", "..%2f..", "%2e%2e%2f%2e%2e", "..%5c..", ".\t.", ".\n.", "..\\.."];
const EMPTY = ["", "/", "*", "?", "#", "//", "///", "javascript:1"];

/** Paths by which a player would get out of what a host answers: to `other` (an authority), or to the host's own page. */
export function hostilePaths(other: string): string[] {
  return [
    ...["host", "host/events"].flatMap(toGoal),
    ...DOORS.flatMap((door) => [...aroundDoor(door), ...asLines(door, other), ...elsewhere(door, other)]),
    ...EMPTY,
    `//${other}`,
    `http://${other}/host`,
    `${other}:443`,
  ];
}

const toGoal = (goal: string): string[] => [
  `/${goal}`,
  `//${goal}`,
  `/./${goal}`,
  `/%68ost`,
  `\\${goal}`,
  goal,
  `/x/../${goal}`,
];

const aroundDoor = (door: string): string[] => [
  ...UP.flatMap((way) => [`/${door}/${way}/host`, `/${door}/x/${way}/${way}/host`, `/${door}/${way}`]),
  `/${door}\\..\\host`,
  `/${door}%2f..%2fhost`,
  `/${door}`,
  `/${door}host`,
  `/${door}?/../host`,
  `/.${door}/host`,
];

/** What is not of one line, not of ASCII, or too long. */
const asLines = (door: string, other: string): string[] => [
  `/${door}/\r\nHost: ${other}\r\n\r\nGET /host HTTP/1.1`,
  `/${door}/ HTTP/1.1\r\nX: y`,
  `/${door}/\0`,
  `/${door}/\u{2025}/host`,
  `/${door}/\u{ff0e}\u{ff0e}/host`,
  `/${door}/${"x".repeat(1100)}`,
];

const elsewhere = (door: string, other: string): string[] =>
  ["//", "http://", "\\\\", "/\\", "/\t/", "//x@", ":80//", "@", "."].map((before) => `${before}${other}/${door}/`);

/** Those, and whatever else can be put together of their parts. */
export const anyPath = (other: string): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constantFrom(...hostilePaths(other)),
    fc
      .array(
        fc.oneof(
          fc.constantFrom(
            "/",
            "/",
            "matchmake",
            "auth",
            "sallyport",
            "host",
            "..",
            ".",
            "%2e",
            "%2E",
            "%2f",
            "%5c",
            "\\",
          ),
          fc.constantFrom(
            "//",
            "?",
            "#",
            "@",
            ":",
            ";",
            "%",
            "%25",
            "\r\n",
            "\t",
            " ",
            other,
            "http://",
            "/matchmake/",
            "/auth/",
          ),
          fc.string({ maxLength: 6, unit: "binary" }),
        ),
        { maxLength: 12 },
      )
      .map((parts) => parts.join("")),
    fc.string({ maxLength: 2000 }),
  );
