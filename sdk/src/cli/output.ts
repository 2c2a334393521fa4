import { styleText } from "node:util";
import type { GatewayStep, PortMapping } from "../gateway/types.ts";
import { StatusBlock } from "./status-block.ts";

type Style = Parameters<typeof styleText>[0];

/** What a command says: lines for a person, or one JSON object per line for a program. */
export class Output {
  readonly json: boolean;
  readonly #startedAt: number = performance.now();
  #status: StatusBlock | undefined;

  constructor(json: boolean) {
    this.json = json;
    // A reader that has seen enough is no error, nor is a terminal that was closed.
    for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  }

  get ms(): number {
    return Math.round(performance.now() - this.#startedAt);
  }

  /** A JSON line; every one has its event and the milliseconds since the command began. */
  event(event: string, fields: object = {}): void {
    if (this.json) process.stdout.write(`${JSON.stringify({ event, ms: this.ms, ...fields })}\n`);
  }

  /** A line for a person. */
  line(text: string): void {
    if (this.json) return;
    if (this.#status) this.#status.line(text);
    else process.stdout.write(`${text}\n`);
  }

  /** In a terminal: lines that stay below all others, and are written anew each second, until disposed. */
  status(render: () => readonly string[]): Disposable | undefined {
    if (this.json || !process.stdout.isTTY) return undefined;
    const status = new StatusBlock(process.stdout, render);
    this.#status = status;
    return {
      [Symbol.dispose]: () => {
        this.#status = undefined;
        status[Symbol.dispose]();
      },
    };
  }

  style(style: Style, text: string): string {
    return styleText(style, text, { stream: process.stdout });
  }

  step(step: Omit<GatewayStep, "step"> & { step: string }): void {
    this.event("step", { ...step });
    const [style, sign]: [Style, string] =
      step.outcome === "ok"
        ? ["green", "✓"]
        : step.outcome === "absent" || step.outcome === "skipped"
          ? ["dim", "·"]
          : ["yellow", "✗"];
    const time = this.style("dim", `${step.ms} ms`.padStart(8));
    this.line(`${time} ${this.style(style, sign)} ${step.step.padEnd(10)} ${step.reason}`);
  }
}

/** The fields of a mapping in a JSON line. */
export function mappingFields(mapping: PortMapping): object {
  const { via, protocol, externalAddress, externalPort, internalAddress, internalPort } = mapping;
  const { expiresAt, verified, proof, gateway } = mapping;
  return {
    via,
    protocol,
    externalAddress,
    externalPort,
    internalAddress,
    internalPort,
    expiresAt,
    verified,
    proof,
    gateway,
  };
}

/** `2 h`, `30 min`, `45 s`. */
function duration(seconds: number): string {
  if (seconds >= 7200) return `${Math.round(seconds / 3600)} h`;
  return seconds >= 120 ? `${Math.round(seconds / 60)} min` : `${Math.max(0, Math.round(seconds))} s`;
}

/** How long a lease still runs. */
export function lease(expiresAt: number): string {
  return expiresAt === 0 ? "permanent" : `lease ${duration((expiresAt - Date.now()) / 1000)}`;
}
