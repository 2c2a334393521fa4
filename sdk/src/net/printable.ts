/** Text of strangers, before it is shown to anybody. */

/** Control characters and those that turn the direction of the text round have no place in it. */
// oxlint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

export function printable(text: string): string {
  return text.toWellFormed().replaceAll(UNPRINTABLE, " ").trim();
}
