import { certificateDates } from "./certificate-dates.ts";

/** What an error says, whatever was thrown; and that a clock may be wrong, where TLS refused a certificate for its dates. */
export function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const dates = certificateDates(error);
  return dates === undefined || message.includes(dates) ? message : `${message}: ${dates}`;
}
