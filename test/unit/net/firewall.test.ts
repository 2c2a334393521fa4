import { expect, test } from "vitest";
import { howToLetIn, whyForbidden } from "../../../sdk/src/net/firewall.ts";

const NODE = "C:\\Program Files\\nodejs\\node.exe";

test.each<[string | undefined, NodeJS.Platform, RegExp | undefined]>([
  [
    "EHOSTUNREACH",
    "darwin",
    /^macOS keeps this program off the local network \(EHOSTUNREACH\): .*Privacy & Security > Local Network/,
  ],
  ["EHOSTUNREACH", "linux", undefined],
  ["EHOSTUNREACH", "win32", undefined],
  ["ENETUNREACH", "darwin", undefined],
  ["EACCES", "linux", /^this machine's firewall forbids it \(EACCES\)$/],
  ["EPERM", "darwin", /^this machine's firewall forbids it \(EPERM\)$/],
  [
    "EACCES",
    "win32",
    /forbids it \(EACCES\): as administrator, netsh .* dir=out action=allow program="C:\\Program Files\\/,
  ],
  ["ECONNREFUSED", "win32", undefined],
  [undefined, "darwin", undefined],
])("%s on %s", (code, platform, expected) => {
  const why = whyForbidden(code, platform, NODE);
  if (expected === undefined) expect(why).toBeUndefined();
  else expect(why).toMatch(expected);
});

test("what lets players in is said where the system drops what it was not told to let in", () => {
  expect(howToLetIn("linux", "/usr/bin/node")).toBe("");
  expect(howToLetIn("darwin", "/opt/node")).toContain("allow incoming connections for /opt/node");
  // The same in cmd.exe and PowerShell: double quotes, and no variable of either.
  const line = howToLetIn("win32", NODE);
  expect(line).toMatch(
    /netsh advfirewall firewall add rule name=Sallyport dir=in action=allow program="C:\\Program Files\\nodejs\\node\.exe"$/,
  );
  expect(line).not.toMatch(/[$%]/);
});
