/** Rooms for what each transport must do alike, with a list of what they heard. */
import { type AuthContext, type Client, CloseCode, Room } from "@colyseus/core";

export interface StrictOptions {
  /** `onJoin` sends the player away: with this code, at once or after a while. */
  leaveInJoin?: { code?: number; isLate?: boolean };
  /** Seconds; `onDrop` allows the player to come back. */
  reconnection?: number;
  /** `onReconnect` sends the player away, or throws. */
  denies?: "leave" | "throw";
  /** These throw. */
  throws?: ("onLeave" | "onDrop")[];
}

/** As async handlers do, which Colyseus' types do not know for all kinds of messages. */
const rejecting = (message: string) => (): unknown => Promise.reject(new Error(message));

export class StrictRoom extends Room {
  static readonly heard: string[] = [];
  static auth: { cookie: string | null; own: string | null } = { cookie: null, own: null };
  #options: StrictOptions = {};

  override onCreate(options: StrictOptions): void {
    this.#options = options;
    this.onMessage("echo", (client, payload: unknown) => client.send("echo", payload));
    this.onMessage("double", (_client, n: number) => n * 2);
    this.onMessage("kick", (client, code?: number) => client.leave(code));
    this.onMessage("throw", () => {
      throw new Error("a handler throws");
    });
    this.onMessage("reject", rejecting("a handler rejects"));
    this.onMessageBytes("throw-bytes", () => {
      throw new Error("a handler of bytes throws");
    });
    this.onMessageBytes("reject-bytes", rejecting("a handler of bytes rejects"));
    this.onMessage("*", (_client, type): unknown => {
      if (type === "throw-any") throw new Error("the handler for all throws");
      return rejecting("the handler for all rejects")();
    });
    this.onMessage("leave-and-tell", (client) => {
      const order: string[] = [];
      client.ref.once("close", () => order.push("close"));
      client.leave(4000);
      order.push("returned");
      void Promise.resolve().then(() => order.push("promise"));
      client.ref.once("close", () => StrictRoom.heard.push(order.join(" < ")));
    });
  }

  override onAuth(_client: Client, _options: unknown, { headers }: AuthContext): boolean {
    const { cookie, "x-own": own } = Object.fromEntries(headers);
    StrictRoom.auth = { cookie: cookie ?? null, own: own ?? null };
    return true;
  }

  override async onJoin(client: Client): Promise<void> {
    const { leaveInJoin } = this.#options;
    if (!leaveInJoin) return;
    if (leaveInJoin.isLate) await new Promise((resolve) => setTimeout(resolve, 30));
    client.leave(leaveInJoin.code);
  }

  override onDrop(client: Client, code?: number): void {
    StrictRoom.heard.push(`onDrop ${code}`);
    const { reconnection, throws } = this.#options;
    if (reconnection !== undefined) this.allowReconnection(client, reconnection).catch(() => {});
    if (throws?.includes("onDrop")) throw new Error("onDrop throws");
  }

  override onReconnect(client: Client): void {
    StrictRoom.heard.push("onReconnect");
    if (this.#options.denies === "leave") client.leave();
    if (this.#options.denies === "throw") throw new Error("onReconnect throws");
  }

  override onLeave(_client: Client, code?: number): void | Promise<void> {
    StrictRoom.heard.push(`onLeave ${code}`);
    if (this.#options.throws?.includes("onLeave")) throw new Error("onLeave throws");
  }
}

/** Hears of its errors itself. */
export class WatchfulRoom extends StrictRoom {
  override onUncaughtException(error: Error, method: string): void {
    StrictRoom.heard.push(`${method}: ${(error as { cause?: Error }).cause?.message ?? error.message}`);
  }
}

export { CloseCode };
