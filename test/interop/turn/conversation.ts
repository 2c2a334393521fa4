import type { TurnRelay } from "../../../sdk/src/turn/relay.ts";

/** One relay asks the other, which answers with the same bytes; what is lost before the permissions stand is repeated. */
export class Conversation {
  /** Questions that had to be repeated. */
  repeated = 0;
  readonly #from: TurnRelay;
  readonly #to: TurnRelay;
  #heard: (data: Buffer) => void = () => {};

  constructor(from: TurnRelay, to: TurnRelay) {
    this.#from = from;
    this.#to = to;
    to.permit(from.relayed.address);
    to.onData = (data, address, port) => to.send(data, address, port);
    from.onData = (data) => this.#heard(data);
  }

  /**
   * Gives back the answer's size.
   * @param patienceMs after which the question is repeated
   */
  async ask(bytes: number, patienceMs = 200): Promise<number> {
    const question = Buffer.alloc(bytes, 1 + (bytes % 250));
    const { address, port } = this.#to.relayed;
    return await new Promise((resolve) => {
      const timer = setInterval(() => {
        this.repeated++;
        this.#from.send(question, address, port);
      }, patienceMs);
      this.#heard = (answer) => {
        if (!answer.equals(question)) return;
        clearInterval(timer);
        this.#heard = () => {};
        resolve(answer.length);
      };
      this.#from.send(question, address, port);
    });
  }
}
