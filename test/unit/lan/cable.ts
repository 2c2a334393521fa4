/** A network that exists in a test only. */
import type { LanNetwork, LanNetworkState, LanRemote } from "../../../sdk/src/lan/network.ts";

/** All who plug into it hear each other. */
export class Cable {
  readonly ends = new Set<CableEnd>();
  /** Each datagram that went over it. */
  readonly seen: Uint8Array[] = [];
}
export class CableEnd implements LanNetwork {
  onPacket: LanNetwork["onPacket"] = () => undefined;
  state: LanNetworkState;
  readonly #cable: Cable;
  readonly #address: string;
  constructor(cable: Cable, address: string) {
    this.#cable = cable;
    this.#address = address;
    this.state = { addresses: [address], problem: "" };
    cable.ends.add(this);
  }
  multicast(datagram: Uint8Array): void {
    for (const end of this.#cable.ends) this.#send(end, datagram);
  }
  unicast(datagram: Uint8Array, { address }: LanRemote): void {
    for (const end of this.#cable.ends) if (end.#address === address) this.#send(end, datagram);
  }
  refresh(): void {}
  close(): Promise<void> {
    this.#cable.ends.delete(this);
    return Promise.resolve();
  }
  #send(to: CableEnd, datagram: Uint8Array): void {
    this.#cable.seen.push(datagram);
    if (to !== this) setImmediate(() => to.onPacket(datagram, { address: this.#address, port: 28_772 }));
  }
}
