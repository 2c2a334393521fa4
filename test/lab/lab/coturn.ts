/** coturn on two public addresses: STUN with behaviour discovery (RFC 5780) and TURN. */
import { type Link, nextAddress } from "./link.ts";
import { Host } from "./machine.ts";
import type { LabContext } from "./netns.ts";
import type { LabProcess } from "./process.ts";

export interface CoturnOptions {
  /** Shared secret of short-lived credentials (`use-auth-secret`); instead of `users`. */
  readonly secret?: string;
  /** Long-term credentials, default `{ lab: "lab" }`. */
  readonly users?: Readonly<Record<string, string>>;
  /** Default "lab". */
  readonly realm?: string;
  /** More arguments, e.g. `--max-allocate-lifetime=20`, `--channel-lifetime=20`, `--permission-lifetime=20`. */
  readonly args?: readonly string[];
}

export const STUN_PORT = 3478;

export class Coturn extends Host {
  /** Both addresses; each answers on 3478 and 3479. */
  readonly addresses: readonly [string, string];
  readonly port: number = STUN_PORT;
  readonly options: CoturnOptions;
  #process: LabProcess | undefined;

  constructor(context: LabContext, namespace: string, link: Link, options: CoturnOptions) {
    super(context, namespace, link);
    this.addresses = [link.address, nextAddress(link.address)];
    this.options = options;
  }

  /** What it logged since its last start. */
  get log(): readonly string[] {
    return this.#process?.output ?? [];
  }

  /** Starts turnserver; resolves when it listens. Called by the lab, and after `stop`. */
  async start(): Promise<void> {
    const { secret, users = { lab: "lab" }, realm = "lab", args = [] } = this.options;
    const [first, second] = this.addresses;
    const credentials =
      secret === undefined
        ? ["--lt-cred-mech", ...Object.entries(users).map(([name, password]) => `--user=${name}:${password}`)]
        : ["--use-auth-secret", `--static-auth-secret=${secret}`];
    const own = `-n --no-cli --no-tls --no-dtls --log-file=stdout --simple-log --verbose`;
    const state = `--pidfile=${this.directory}/pid --userdb=${this.directory}/turndb`;
    const where = `--listening-ip=${first} --listening-ip=${second} --listening-port=${STUN_PORT}`;
    const command = [
      "turnserver",
      ...`${own} ${state} ${where}`.split(" "),
      `--realm=${realm}`,
      ...credentials,
      ...args,
    ];
    const daemon = this.spawn(command, { cwd: this.directory });
    this.#process = daemon;
    await daemon.waitForPort("udp", STUN_PORT);
    await daemon.waitForPort("tcp", STUN_PORT);
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
    this.#process = undefined;
  }
}
