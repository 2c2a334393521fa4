/** PCP and NAT-PMP, right in a few lines, and wrong where a test says so. */
export interface PortControlServerOptions {
  pcp?: boolean;
  natPmp?: boolean;
  externalAddress?: readonly [number, number, number, number];
  /** Its epoch goes on with this clock, in milliseconds. Default: it stands still. */
  now?: () => number;
  /** Before a right answer: what to send in place of it. */
  instead?: (datagram: Buffer, answer: Buffer, server: PortControlServer) => readonly Uint8Array[] | undefined;
}

/** A right PCP and NAT-PMP server in a few lines. */
export class PortControlServer {
  epoch = 1000;
  readonly seen: Buffer[] = [];
  /** External port by "protocol internal". */
  readonly table = new Map<string, number>();
  readonly #options: PortControlServerOptions;
  readonly #startedAt: number;

  constructor(options: PortControlServerOptions) {
    this.#options = options;
    this.#startedAt = options.now?.() ?? 0;
  }

  get #epochNow(): number {
    return this.epoch + Math.floor(((this.#options.now?.() ?? 0) - this.#startedAt) / 1000);
  }

  readonly answer = (datagram: Buffer): readonly Uint8Array[] => {
    this.seen.push(datagram);
    const right = datagram[0] === 2 ? this.#pcp(datagram) : this.#natPmp(datagram);
    if (!right) return [];
    return this.#options.instead?.(datagram, right, this) ?? [right];
  };

  #pcp(datagram: Buffer): Buffer | undefined {
    if (this.#options.pcp === false) {
      if (this.#options.natPmp === false) return undefined;
      const refusal = Buffer.from([0, 0x80, 0, 1, 0, 0, 0, 0]);
      refusal.writeUInt32BE(this.#epochNow, 4);
      return refusal;
    }
    const answer = Buffer.from(datagram);
    answer[1] = (datagram[1] ?? 0) | 0x80;
    answer.fill(0, 2, 4);
    answer.fill(0, 8, 24);
    answer.writeUInt32BE(this.#epochNow, 8);
    if (datagram[1] === 1) {
      const lifetime = datagram.readUInt32BE(4);
      const key = `${datagram[36]} ${datagram.readUInt16BE(40)}`;
      const port = lifetime === 0 ? 0 : datagram.readUInt16BE(42);
      if (lifetime === 0) this.table.delete(key);
      else this.table.set(key, port);
      answer.writeUInt16BE(port, 42);
      answer.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...this.#address], 44);
    }
    return answer;
  }

  #natPmp(datagram: Buffer): Buffer | undefined {
    if (this.#options.natPmp === false) return undefined;
    if (datagram[1] === 0) {
      const answer = Buffer.from([0, 0x80, 0, 0, 0, 0, 0, 0, ...this.#address]);
      answer.writeUInt32BE(this.#epochNow, 4);
      return answer;
    }
    const answer = Buffer.alloc(16);
    answer[1] = (datagram[1] ?? 0) | 0x80;
    answer.writeUInt32BE(this.#epochNow, 4);
    datagram.copy(answer, 8, 4, 12);
    const key = `${datagram[1] === 1 ? 17 : 6} ${datagram.readUInt16BE(4)}`;
    if (datagram.readUInt32BE(8) === 0) this.table.delete(key);
    else this.table.set(key, datagram.readUInt16BE(6));
    return answer;
  }

  get #address(): readonly number[] {
    return this.#options.externalAddress ?? [11, 22, 33, 44];
  }

  maps(): Buffer[] {
    return this.seen.filter((datagram) => (datagram[0] === 2 ? datagram[1] === 1 : datagram[1] !== 0));
  }
}
