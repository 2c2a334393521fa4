/** Debian's Chromium, driven by playwright-core. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const EXECUTABLE = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

/** Whether tests of pages can run. With CI=true they must. */
export const hasChromium: boolean = existsSync(EXECUTABLE) || Boolean(process.env["CI"]);
if (!hasChromium) console.log(`Tests of pages are skipped: there is no ${EXECUTABLE} (apt-get install chromium).`);

export async function openChromium(more: readonly string[] = []): Promise<Browser> {
  if (!existsSync(EXECUTABLE)) throw new Error(`There is no ${EXECUTABLE}: apt-get install chromium`);
  return await chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      ...more,
    ],
  });
}
