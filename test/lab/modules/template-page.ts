// Opens a link in Chromium, and waits until the template's page is in the game.
import { openChromium } from "../../interop/page-chromium.ts";

const { link } = JSON.parse(process.argv[2] ?? "{}") as { link: string };
const browser = await openChromium();
try {
  const page = await browser.newPage();
  const began = performance.now();
  await page.goto(link);
  await page.waitForFunction("document.documentElement.dataset.players > 0", undefined, { timeout: 40_000 });
  const ms = Math.round(performance.now() - began);
  const players = Number(await page.evaluate("document.documentElement.dataset.players"));
  console.log(JSON.stringify({ players, ms }));
} finally {
  await browser.close();
}
