/** What a package may be called: https://docs.npmjs.com/cli/configuring-npm/package-json#name, and no scope. */
import { isBuiltin } from "node:module";

const NAME: RegExp = /^[a-z0-9][a-z0-9._-]{0,213}$/;
const TAKEN: readonly string[] = ["node_modules", "favicon.ico"];

/** Why the text is no name, as the end of a sentence; undefined if it is one. */
export function nameProblem(name: string): string | undefined {
  if (name === "") return "it is empty";
  if (name.length > 214) return "it is longer than 214 characters";
  if (TAKEN.includes(name) || isBuiltin(name)) return "npm keeps it for itself";
  if (/[A-Z]/.test(name)) return "capitals are not allowed";
  if (!NAME.test(name)) return "letters, digits, - . and _ are allowed, and it begins with a letter or a digit";
  return undefined;
}

/** The nearest name that is allowed; `otherwise` where there is none. */
export function suggestName(text: string, otherwise = "my-game"): string {
  const name = text
    .normalize("NFKD")
    .replaceAll(/\p{M}/gu, "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9._]+/g, "-")
    .replaceAll(/^[^a-z0-9]+|[^a-z0-9]+$/g, "")
    .slice(0, 214);
  return nameProblem(name) === undefined ? name : otherwise;
}
