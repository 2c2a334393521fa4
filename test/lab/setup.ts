/** Once before the lab tests: installs what they need, or says why they are skipped. */
import type { TestProject } from "vitest/node";
import { removeLeftovers } from "./lab/cleanup.ts";
import { prepare } from "./lab/prepare.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Why no lab can stand on this machine; empty when one can. */
    labMissing: string;
  }
}

export default function setup({ provide }: TestProject): () => void {
  const reason = prepare() ?? "";
  if (reason !== "") {
    // Where all is said to be tested, a test that did not run is a failure.
    if (process.env["CI"] === "true" || process.env["CI"] === "1") throw new Error(`no NAT lab here: ${reason}`);
    console.warn(`lab tests are skipped: ${reason}`);
  }
  provide("labMissing", reason);
  return removeLeftovers;
}
