// A game in a person's terminal, behind a real router: however it is ended, and whatever started it, no port stays open.
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ECHO_MS } from "../../sdk/src/gateway/signals.ts";
import { until } from "../until.ts";
import { describeLab } from "./lab/vitest.ts";
import { CELLS, OPEN, run } from "./terminal/cells.ts";
import { Pty, quiet } from "./terminal/pty.ts";
import { Street } from "./terminal/street.ts";

/** As many programs start at once as a machine with two processors bears. */
const HOMES = 4;
const SAVES = 5;

// A port that stays open once is a port that stays open: there is no second try.
describeLab("a terminal", { concurrent: true, retry: 0, timeout: 300_000 }, () => {
  let street: Street;
  beforeAll(async () => {
    street = await Street.build(HOMES);
  });
  afterAll(async () => {
    await street[Symbol.asyncDispose]();
  });

  test("npm run dev: each save starts the server again, on the same port of the router", async () => {
    const game = await street.scaffold("saved");
    const rules = join(game, "public/rules.js");
    const text = await readFile(rules, "utf8");
    const changed = (n: number): string => text.replace(/SPEED = \d+/, `SPEED = ${300 + n}`);
    await street.atHome(async ({ router, computer }) => {
      const terminal = new Pty(computer, { cwd: game });
      const isOpen = async (port: number): Promise<void> => {
        expect(await terminal.line(OPEN)).toContain(`${router.wanAddress}:${port}`);
        // UDP and TCP, and browsers' UDP.
        await until(async () => (await router.mappings()).length === 3);
      };
      // tsx looks at a file a moment after the server has loaded it: what is saved before that is seen with the next save.
      const save = async (write: () => Promise<void>): Promise<void> => {
        for (let isSeen = false; !isSeen; ) {
          await write();
          isSeen = await terminal.line(/\[tsx\].*Restarting/, 5_000).then(
            () => true,
            () => false,
          );
        }
        await isOpen(2567);
      };
      await terminal.type("npm run dev");
      await isOpen(2567);
      // As vim, JetBrains' editors and `sed -i` save: another file takes the name.
      for (let n = 0; n < SAVES; n++) {
        await save(async () => {
          await writeFile(`${rules}~`, changed(n));
          await rename(`${rules}~`, rules);
        });
      }
      for (let n = 0; n < SAVES; n++) {
        await save(() => writeFile(rules, changed(SAVES + n)));
      }
      // The watcher kills a server that is still unmapping when the next save comes: the one after takes over what it left.
      await writeFile(rules, changed(-1));
      await terminal.line(/Restarting/);
      await writeFile(rules, changed(-2));
      await isOpen(2567);
      // Settings are read at the start; the Return key is one.
      await writeFile(join(game, ".env"), "PORT=2600\n");
      terminal.press("\r");
      await isOpen(2600);

      expect(terminal.output).not.toMatch(/in use|EADDRINUSE/);
      const starts = terminal.output.match(/^Play in this machine's browser/gm);
      expect(starts).toHaveLength(1 + 2 * SAVES + 2);
      terminal.interrupt();
      await terminal.prompt();
      await quiet(computer);
      expect(await router.mappings()).toEqual([]);
      terminal.hangUp();
    });
  });

  test.for([
    ["programs", ["node", "manager.ts"], 2],
    ["root", ["node", "sdk/dist/cli/main.js", "map", "9001"], 2],
    // UDP and TCP, and browsers' UDP.
    ["game", ["node", "src/index.ts"], 3],
  ] as const)(
    "a mute router, and somebody who insists: %s %j says what stays open",
    { retry: 2 },
    async ([folder, command, count]) => {
      await street.atHome(async ({ router, computer }) => {
        const running = computer.spawn(command, { cwd: street.folder(folder), env: { NO_COLOR: "1" } });
        await running.waitForLine(OPEN, 60_000);
        const main = join(street.folder("root"), "sdk/dist/cli/main.js");
        await until(async () => (await router.mappings()).length === count);
        // The router's word is on its way to the program, and is there long before another program has looked.
        await computer.exec(["node", main, "list"]);
        const ports = new Set((await router.mappings()).map(({ externalPort }) => externalPort));
        const daemon = Number(await readFile(join(router.directory, "miniupnpd.pid"), "utf8"));
        process.kill(daemon, "SIGSTOP");
        running.kill("SIGINT");
        // So long that a busy machine tells the second one apart.
        await sleep(ECHO_MS + 800);
        running.kill("SIGINT");
        const exit = await running.exited;
        process.kill(daemon, "SIGCONT");
        expect(exit, running.output.join("\n")).toMatchObject({ code: 130 });
        const said = running.output.slice(-ports.size);
        for (const port of ports) {
          const which = `^sallyport: UDP (and TCP )?port ${port} stays open on the router until .+ unmap ${port}$`;
          expect(said).toContainEqual(expect.stringMatching(new RegExp(which)));
        }
        expect(said.some((line) => line.startsWith("sallyport: UDP and TCP port"))).toBe(true);
        // As it says.
        for (const port of ports) {
          const unmap = await computer.exec(["node", main, "unmap", String(port)]);
          expect(unmap.code, unmap.output).toBe(0);
        }
        expect(await router.mappings()).toEqual([]);
      });
    },
  );

  // Not `test.for`, which shortens names.
  for (const cell of CELLS) {
    test(cell.name, async () => {
      expect(await run(cell, street)).toEqual([]);
    });
  }
});
