/** Values by address and port, in two steps: no key text is built per packet, which costs ten times the look-up. */
export class EndpointMap<T> {
  readonly #byAddress: Map<string, Map<number, T>> = new Map();

  get(address: string, port: number): T | undefined {
    return this.#byAddress.get(address)?.get(port);
  }

  set(address: string, port: number, value: T): void {
    const byPort = this.#byAddress.get(address);
    if (byPort) byPort.set(port, value);
    else this.#byAddress.set(address, new Map([[port, value]]));
  }

  delete(address: string, port: number): void {
    const byPort = this.#byAddress.get(address);
    if (!byPort) return;
    byPort.delete(port);
    if (byPort.size === 0) this.#byAddress.delete(address);
  }
}
