/** A page of somebody's game with the client for browsers: bundled, served, opened in Chromium. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";

const ENTRY = fileURLToPath(new URL("../../sdk/src/doors/browser.ts", import.meta.url));

/** The door as a bundler makes one file of it, for browsers: what is Node's would fail here. */
export async function bundleDoor(minify = false): Promise<{ code: string; inputs: string[] }> {
  const result = await build({
    entryPoints: [ENTRY],
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    write: false,
    metafile: true,
    logLevel: "silent",
    minify,
  });
  return { code: result.outputFiles[0]?.text ?? "", inputs: Object.keys(result.metafile.inputs) };
}

const PAGE = `<!doctype html><meta charset="utf-8"><title>A game</title>
<script type="module">
import * as sallyport from "/door.js";
globalThis.sallyport = sallyport;
</script>`;

/** Serves the page from an origin of its own. */
export class GamePage implements AsyncDisposable {
  readonly #server: Server;
  readonly #browser: Browser;
  readonly complaints: string[] = [];

  private constructor(server: Server, browser: Browser) {
    this.#server = server;
    this.#browser = browser;
  }

  static async serve(browser: Browser): Promise<GamePage> {
    const { code } = await bundleDoor();
    const server = createServer((request, response) => {
      if (request.url === "/door.js") response.setHeader("content-type", "text/javascript").end(code);
      else if (request.url === "/") response.setHeader("content-type", "text/html").end(PAGE);
      else response.writeHead(404).end();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new GamePage(server, browser);
  }

  async open(): Promise<Page> {
    const page = await this.#browser.newPage();
    page.on("pageerror", (error) => this.complaints.push(error.message));
    await page.goto(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`);
    await page.waitForFunction("globalThis.sallyport !== undefined");
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close().closeAllConnections();
    await once(this.#server, "close");
  }
}
