import { messageOf } from "./message-of.ts";

/** A socket that could not be opened or configured. `code` is the system's own (`EADDRINUSE`, `EACCES`, …). */
export class UDPSocketError extends Error {
  override readonly name: string = "UDPSocketError";
  /** The system's own code: `EADDRINUSE`, `EACCES`, … */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program has this port: choose another port, or 0 for any free one",
  EACCES:
    process.platform === "win32"
      ? "Windows has reserved this port, as for Hyper-V, WSL or Docker, or another program has it alone: choose another port (netsh interface ipv4 show excludedportrange udp lists what is reserved)"
      : "the system does not allow this port: ports below 1024 need privileges; choose a higher one",
  EPERM: "the system does not allow this port: a firewall or sandbox forbids it",
  EADDRNOTAVAIL: "this machine has no such address: use an address of one of its interfaces, or * for all",
  EAFNOSUPPORT: "this machine does not speak this family of addresses",
  EINVAL: "not a valid address or port",
  EMFILE: "this process has too many files open: raise its limit or close sockets",
};

/** The `code` of a system error, or `UNKNOWN`. */
export function errorCode(error: unknown): string {
  const code: unknown = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "UNKNOWN";
}

/** Whether another port may be had where this one is not: a program has it, or Windows keeps it in a reserved range (EACCES). */
export function isPortTaken(code: string | undefined, port: number): boolean {
  return code === "EADDRINUSE" || (code === "EACCES" && port >= 1024);
}

/** Wraps what the system said about `subject` (an endpoint, an option) in words that a person can act upon. */
export function describeSocketError(doing: string, subject: string, error: unknown): UDPSocketError {
  const code = errorCode(error);
  const advice = ADVICE[code] ?? messageOf(error);
  return new UDPSocketError(code, `Cannot ${doing} ${subject} (${code}): ${advice}.`, { cause: error });
}
