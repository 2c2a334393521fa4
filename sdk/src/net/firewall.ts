/** What a person can do where this computer's own system keeps packets from a program. Windows and macOS ask once, and remember a no. */

/**
 * Why the system refuses to send, for the end of a sentence; `undefined` for codes that tell of no firewall.
 * @param code the system's, such as `EACCES`
 */
export function whyForbidden(
  code: string | undefined,
  platform: NodeJS.Platform = process.platform,
  program: string = process.execPath,
): string | undefined {
  // macOS 15 and later, for all that was not started from its own Terminal or by ssh.
  if (code === "EHOSTUNREACH" && platform === "darwin") {
    return `macOS keeps this program off the local network (${code}): allow the app that started it in System Settings > Privacy & Security > Local Network`;
  }
  if (code !== "EACCES" && code !== "EPERM") return undefined;
  const what = `this machine's firewall forbids it (${code})`;
  return platform === "win32" ? `${what}: as administrator, ${allowOnWindows("out", program)}` : what;
}

/** What lets players in through this computer's firewall, a sentence; `""` where systems drop nothing unless they are told to. */
export function howToLetIn(platform: NodeJS.Platform = process.platform, program: string = process.execPath): string {
  if (platform === "win32") {
    return `Windows' firewall drops what comes in unless it was allowed for this program: as administrator, ${allowOnWindows("in", program)}`;
  }
  if (platform === "darwin") {
    return `If macOS' firewall is on, allow incoming connections for ${program} in System Settings > Network > Firewall > Options`;
  }
  return "";
}

/** The same in cmd.exe and PowerShell. */
function allowOnWindows(direction: "in" | "out", program: string): string {
  return `netsh advfirewall firewall add rule name=Sallyport dir=${direction} action=allow program="${program}"`;
}
