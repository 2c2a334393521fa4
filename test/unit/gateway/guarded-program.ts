/** A program that has a port open, as far as the guard knows. How it goes with signals is said by its arguments. */
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { exitGuard, type Guarded } from "../../../sdk/src/gateway/exit-guard.ts";

const { values } = parseArgs({
  options: {
    /** How long the router takes, ms. */
    takes: { type: "string", default: "50" },
    /** once, on, exit: a listener of the program's own. */
    own: { type: "string" },
    /** How long the program's own end takes before it closes, and after that, ms. */
    before: { type: "string", default: "0" },
    after: { type: "string", default: "0" },
    /** Another package that waits until nobody else listens. */
    polite: { type: "boolean", default: false },
    /** A second copy of this package. */
    copy: { type: "boolean", default: false },
    /** Writes to standard output while it closes. */
    chatty: { type: "boolean", default: false },
    /** Does nothing more, so that it ends by itself. */
    idle: { type: "boolean", default: false },
  },
});
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

class Port implements Guarded {
  #closing: Promise<void> | undefined;
  readonly #guard: typeof exitGuard;

  constructor(guard: typeof exitGuard) {
    this.#guard = guard;
  }

  open(): this {
    this.#guard.add(this);
    return this;
  }

  isClosing(): boolean {
    return this.#closing !== undefined;
  }

  mappings(): ReturnType<Guarded["mappings"]> {
    return [{ protocol: "both", externalPort: 7777, expiresAt: Date.UTC(2100, 0, 1) }];
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      say("closing");
      if (values.chatty) for (let n = 0; n < 10; n++) await sleep(5).then(() => say("still closing"));
      await sleep(Number(values.takes));
      this.#guard.delete(this);
      say("closed");
    })();
    return this.#closing;
  }
}

const shutDown = async (): Promise<void> => {
  say("saving");
  await sleep(Number(values.before));
  say("saved");
  await port.close();
  await sleep(Number(values.after));
  say(`listeners ${process.listenerCount("SIGINT")}`);
  process.exit(0);
};
// Before anything is open, as a Colyseus server.
if (values.own === "once") process.once("SIGINT", () => void shutDown());
if (values.own === "on") process.on("SIGINT", () => say("menu"));
if (values.own === "exit") process.on("SIGINT", () => process.exit(7));
const port = new Port(exitGuard).open();
if (values.copy) {
  const copy = (await import(`${import.meta.resolve("../../../sdk/src/gateway/exit-guard.ts")}?copy`)) as {
    exitGuard: typeof exitGuard;
  };
  new Port(copy.exitGuard).open();
}
if (values.polite) {
  // The copy that our own dependency brings along.
  let at = createRequire(import.meta.resolve("../../../sdk/package.json"));
  for (const name of ["default-gateway", "execa"]) at = createRequire(at.resolve(name));
  (at("signal-exit") as (onExit: () => void) => void)(() => say("goodbye"));
}
if (!values.idle) setInterval(() => undefined, 1000);
say(`listeners ${process.listenerCount("SIGINT")}`);

// Threads have no signals.
const inWorker = new Worker(
  `import(${JSON.stringify(import.meta.resolve("../../../sdk/src/gateway/exit-guard.ts"))}).then(({ exitGuard }) => {
    exitGuard.add({ isClosing: () => false, close: async () => {}, mappings: () => [] });
    require("node:worker_threads").parentPort.postMessage(process.listenerCount("SIGINT"));
  });`,
  { eval: true },
);
inWorker.once("message", (count) => say(`ready, in a thread ${count}`));
