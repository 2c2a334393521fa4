/** Debian's turnserver on loopback, in a folder and on ports of its own. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { until } from "../../until.ts";

export const coturnPresent: boolean = spawnSync("turnserver", ["-h"]).error === undefined;

if (!coturnPresent) {
  if (process.env["CI"] !== undefined) throw new Error("coturn is not installed, and CI must not skip it");
  console.log("Skipped: coturn is not installed (Debian: apt-get install coturn).");
}

export interface CoturnOptions {
  /** Default: user `me` with password `word`. */
  secret?: string;
  /** With a self-signed certificate for `localhost` and 127.0.0.1. */
  tls?: boolean;
  args?: string[];
}

export const REALM = "example.org";
export const CREDENTIALS = { username: "me", credential: "word" };

export class Coturn implements AsyncDisposable {
  readonly port: number;
  readonly tlsPort: number;
  readonly #directory: string;
  readonly #options: CoturnOptions;
  #process: ChildProcess | null = null;
  #output = "";

  private constructor(options: CoturnOptions, port: number, tlsPort: number) {
    this.#options = options;
    this.port = port;
    this.tlsPort = tlsPort;
    this.#directory = mkdtempSync(join(tmpdir(), "coturn-"));
    if (options.tls === true) makeCertificate(this.#directory);
  }

  static async start(options: CoturnOptions = {}): Promise<Coturn> {
    const coturn = new Coturn(options, await freePort(), await freePort());
    await coturn.start();
    return coturn;
  }

  /** How often it has logged this; `what` is global. */
  count(what: RegExp): number {
    return this.#output.match(what)?.length ?? 0;
  }

  /** Resolves when it has logged this so often; its log comes late. */
  async logged(what: RegExp, times = 1): Promise<void> {
    const enough = (): boolean => this.count(what) >= times;
    await until(enough, { what: `coturn logs ${what} ${times} times`, everyMs: 20 });
  }

  /** The certificate, which is its own authority. */
  get ca(): string {
    return readFileSync(join(this.#directory, "cert.pem"), "utf8");
  }

  /** Of its process; 0 while there is none. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Resolves when it listens. */
  async start(): Promise<void> {
    const { secret, tls = false, args = [] } = this.#options;
    const own =
      "-n --no-cli --no-dtls --log-file=stdout --simple-log --verbose --allow-loopback-peers --listening-ip=127.0.0.1";
    const who =
      secret === undefined
        ? ["--lt-cred-mech", `--user=${CREDENTIALS.username}:${CREDENTIALS.credential}`]
        : ["--use-auth-secret", `--static-auth-secret=${secret}`];
    const tlsArgs = tls
      ? [
          `--tls-listening-port=${this.tlsPort}`,
          `--cert=${this.#directory}/cert.pem`,
          `--pkey=${this.#directory}/key.pem`,
        ]
      : ["--no-tls"];
    const state = ["--pidfile=/dev/null", `--userdb=${this.#directory}/turndb`, `-p${this.port}`, `--realm=${REALM}`];
    const child = spawn("turnserver", [...own.split(" "), ...state, ...who, ...tlsArgs, ...args]);
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (text: Buffer) => {
        this.#output += text.toString();
      });
    }
    const ports = tls ? [this.port, this.tlsPort] : [this.port];
    const listens = async (port: number): Promise<boolean> => {
      if (child.exitCode !== null) throw new Error(`turnserver ended with ${child.exitCode}: ${this.#output}`);
      return await accepts(port);
    };
    for (const port of ports) await until(() => listens(port), { what: "turnserver listens", everyMs: 20 });
  }

  /** Kills it, as a crash would: it says good-bye to nobody. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function makeCertificate(directory: string): void {
  const key = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost";
  const names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const files = ["-keyout", join(directory, "key.pem"), "-out", join(directory, "cert.pem")];
  execFileSync("openssl", [...key.split(" "), ...names, ...files], { stdio: "ignore" });
}

/** Free for UDP and TCP a moment ago. */
async function freePort(): Promise<number> {
  for (;;) {
    await using udp = UDPSocket.open({ address: "127.0.0.1" });
    const tcp = createServer();
    try {
      await new Promise<void>((resolve, reject) => {
        tcp.once("error", reject).listen(udp.localPort, "127.0.0.1", resolve);
      });
      return udp.localPort;
    } catch {
      // taken over TCP
    } finally {
      tcp.close();
    }
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
