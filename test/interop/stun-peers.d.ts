/** What the tests use of the npm package `stun`, which has no types of its own. */
declare module "stun" {
  interface Address {
    address: string;
    port: number;
  }
  export interface Message {
    type: number;
    transactionId: Buffer;
    getXorAddress(): Address;
    getAddress(): Address;
    getSoftware(): string;
    getUsername(): string;
    addXorAddress(address: string, port: number): void;
    addAlternateServer(address: string, port: number): void;
    addSoftware(text: string): void;
    addRealm(text: string): void;
    addNonce(text: string): void;
    addMessageIntegrity(key: string): void;
    addFingerprint(): void;
    toBuffer(): Buffer;
  }
  const stun: {
    createMessage(type: number, transaction?: Buffer): Message;
    decode(data: Buffer): Message;
    validateFingerprint(message: Message): boolean;
    validateMessageIntegrity(message: Message, key: string): boolean;
    request(url: string, options: { timeout?: number; maxTimeout?: number; retries?: number }): Promise<Message>;
    createServer(options: { type: "udp4" | "udp6" }): {
      listen(port: number, address: string, callback: () => void): void;
      on(event: "bindingRequest", listener: (request: Message, rinfo: Address) => void): void;
      on(event: "error", listener: (error: Error) => void): void;
      send(message: Message, port: number, address: string): void;
      close(): void;
    };
    constants: Record<string, number>;
  };
  export default stun;
}
