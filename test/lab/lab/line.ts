/** A line of its own between two machines, slow and lossy at will, for every protocol alike. */
import { fileURLToPath } from "node:url";
import type { Machine } from "./machine.ts";
import { ip, NETNS_DIRECTORY, shell } from "./netns.ts";
import type { LabProcess } from "./process.ts";

export interface LineConditions {
  /** Each way, ms. Default 0. */
  readonly delayMs?: number;
  /** Up to this much more, each way, in order. Default 0. */
  readonly jitterMs?: number;
  /** Share of packets that is lost, each way, 0-1. Default 0. */
  readonly loss?: number;
  /** What it carries each way; half a second of it may wait. Default: everything. */
  readonly bytesPerSecond?: number;
}

const PROGRAM = fileURLToPath(new URL("./line.pl", import.meta.url));
/** The same losses in each run. */
const SEED = 20_261_127;

let lines = 0;

export class Line implements AsyncDisposable {
  /** Of the first and of the second machine, on this line. */
  readonly addresses: readonly [string, string];
  /** Of the interface, in both. */
  readonly name: string;
  readonly #process: LabProcess;

  private constructor(name: string, addresses: readonly [string, string], child: LabProcess) {
    this.name = name;
    this.addresses = addresses;
    this.#process = child;
  }

  /** @throws where the kernel has no TUN devices */
  static async between(first: Machine, second: Machine, conditions: LineConditions = {}): Promise<Line> {
    const number = lines++;
    const name = `line${number}`;
    // Public addresses, as the rest of the lab has them.
    const addresses = [`11.250.${number}.1`, `11.250.${number}.2`] as const;
    const namespaces = [first, second].map(({ namespace }) => `${NETNS_DIRECTORY}/${namespace}`);
    const child = first.spawn(["perl", PROGRAM, name, String(SEED + number), ...namespaces]);
    await child.waitForLine(/ready/);
    await Promise.all(
      [first, second].map(({ namespace }, end) =>
        shell(
          ip([
            `addr add ${addresses[end as 0 | 1]} peer ${addresses[end === 0 ? 1 : 0]} dev ${name}`,
            `link set ${name} up mtu 1500`,
          ]),
          namespace,
        ),
      ),
    );
    const line = new Line(name, addresses, child);
    await line.set(conditions);
    return line;
  }

  /** From now on. */
  async set({ delayMs = 0, jitterMs = 0, loss = 0, bytesPerSecond = 0 }: LineConditions): Promise<void> {
    this.#process.write(`${delayMs} ${jitterMs} ${loss} ${bytesPerSecond}\n`);
    await this.#process.waitForLine(/set/);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop();
  }
}
