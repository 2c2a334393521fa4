import { styleText } from "node:util";

type Format = Parameters<typeof styleText>[0];

/** Colours on a terminal only, and not where NO_COLOR is set (no-color.org): Node looks at both. */
export function style(format: Format, text: string): string {
  return styleText(format, text, { stream: process.stdout, validateStream: true });
}
