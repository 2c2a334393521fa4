/** `describe` for tests that need a lab: skipped where none can stand (`setup.ts` has said why, or has failed). */
import { describe, inject } from "vitest";

export const describeLab: typeof describe = describe.skipIf(inject("labMissing") !== "") as typeof describe;
