/** A host's secret in a file: whoever reads it can pose as this host. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { isHostSecret } from "../sealed/secret.ts";

const OWNER_ALONE = 0o600;

/** Undefined where there is none, or something else: then it is written anew. */
export function keptSecret(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    const secret = readFileSync(file, "utf8").trim();
    return isHostSecret(secret) ? secret : undefined;
  } catch {
    return undefined;
  }
}

/** Whole or not at all. @throws Error where the folder cannot be written */
export function keepSecret(file: string, secret: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const next = `${file}.${process.pid}.tmp`;
  writeFileSync(next, `${secret}\n`, { mode: OWNER_ALONE });
  renameSync(next, file);
}
