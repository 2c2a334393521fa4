import * as fc from "fast-check";

/** Paths by which a player would get out of what a host answers: to `other` (an authority), or to the host's own page. */
export function hostilePaths(other: string): string[] {
  const goals = ["host", "host/events"];
  const up = ["..", "%2e%2e", "%2E.", ".%2e", "..;", "..%2f..", "%2e%2e%2f%2e%2e", "..%5c..", ".\t.", ".\n.", "..\\.."];
  return [
    ...goals.flatMap((goal) => [`/${goal}`, `//${goal}`, `/./${goal}`, `/%68ost`, `\\${goal}`, goal, `/x/../${goal}`]),
    ...["matchmake", "auth", "sallyport"].flatMap((door) => [
      ...up.flatMap((way) => [`/${door}/${way}/host`, `/${door}/x/${way}/${way}/host`, `/${door}/${way}`]),
      ...[
        `/${door}\\..\\host`,
        `/${door}%2f..%2fhost`,
        `/${door}`,
        `/${door}host`,
        `/${door}?/../host`,
        `/.${door}/host`,
      ],
      ...[`/${door}/\r\nHost: ${other}\r\n\r\nGET /host HTTP/1.1`, `/${door}/ HTTP/1.1\r\nX: y`, `/${door}/\0`],
      ...[`/${door}/\u{2025}/host`, `/${door}/\u{ff0e}\u{ff0e}/host`, `/${door}/${"x".repeat(1100)}`],
      ...[`//${other}/${door}/`, `http://${other}/${door}/`, `\\\\${other}/${door}/`, `/\\${other}/${door}/`],
      ...[`/\t/${other}/${door}/`, `//x@${other}/${door}/`, `:80/${door}/`, `@${other}/${door}/`, `.${other}/${door}/`],
    ]),
    ...["", "/", "*", "?", "#", "//", "///", `//${other}`, `http://${other}/host`, `${other}:443`, "javascript:1"],
  ];
}

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
