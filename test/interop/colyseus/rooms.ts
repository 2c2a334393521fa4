import { type Client, Room, ServerError } from "@colyseus/core";
import { type MapSchema, StateView, schema, t } from "@colyseus/schema";

export const Player = schema({ name: t.string(), score: t.number(), x: t.number().unreliable() }, "Player");
export type Player = InstanceType<typeof Player>;

export const ArenaState = schema({ players: t.map(Player), ticks: t.number(), blob: t.array("string") }, "ArenaState");
export type ArenaState = InstanceType<typeof ArenaState>;

export interface Log {
  event: "join" | "leave" | "drop" | "reconnect";
  sessionId: string;
  code?: number | undefined;
}

export interface ArenaOptions {
  name?: string;
  reject?: "onAuth" | "onJoin";
  /** Size of the first state, KiB. */
  blob?: number;
  reservationSeconds?: number;
}

/** Every transport-facing behaviour of Colyseus that a test wants, in one room. */
export class ArenaRoom extends Room<{ state: ArenaState }> {
  static readonly log: Log[] = [];
  static auth: { token?: string | undefined; ip?: string | undefined } = {};
  override state: ArenaState = new ArenaState();
  override patchRate: number | null = 20;
  override autoDispose = false;

  override onCreate(options: ArenaOptions): void {
    if (options.reservationSeconds !== undefined) this.seatReservationTimeout = options.reservationSeconds;
    this.state.ticks = 0;
    for (let i = 0; i < (options.blob ?? 0); i++) this.state.blob.push(`${i}:`.padEnd(1024, "x"));
    this.onMessage("score", (client, points: number) => {
      const player = this.state.players.get(client.sessionId);
      if (player) player.score += points;
    });
    this.onMessage("move", (client, x: number) => {
      const player = this.state.players.get(client.sessionId);
      if (player) player.x = x;
      client.send("moved", x);
    });
    this.onMessage("shout", (_client, text: string) => this.broadcast("shout", text));
    this.onMessage("echo", (client, payload: unknown) => client.send("echo", payload));
    this.onMessageBytes("bytes", (client, bytes: Uint8Array) => client.sendBytes("bytes", bytes));
    this.onMessage("pieces", (client, { count, bytes }: { count: number; bytes: number }) => {
      for (let i = 0; i < count; i++) client.send("piece", "y".repeat(bytes));
    });
    this.onMessage("double", (_client, n: number) => n * 2);
    this.onMessage("fail", () => {
      throw new Error("as asked");
    });
    this.onMessage("error-me", (client) => client.error(4321, "as asked"));
    this.onMessage("kick", (client, code?: number) => client.leave(code));
    this.onMessage("after-patch", (client) => {
      this.state.ticks++;
      client.send("after-patch", this.state.ticks, { afterNextPatch: true });
    });
  }

  override onAuth(
    _client: Client,
    options: ArenaOptions,
    context: { token?: string; ip?: string | undefined },
  ): boolean {
    ArenaRoom.auth = { token: context.token, ip: context.ip };
    if (options.reject === "onAuth") throw new ServerError(4711, "no entry");
    return true;
  }

  override onJoin(client: Client, options: ArenaOptions): void {
    if (options.reject === "onJoin") throw new ServerError(4712, "not today");
    const player = new Player();
    player.name = options.name ?? "";
    player.score = 0;
    player.x = 0;
    this.state.players.set(client.sessionId, player);
    ArenaRoom.log.push({ event: "join", sessionId: client.sessionId });
    client.send("welcome", options.name);
  }

  override async onDrop(client: Client, code?: number): Promise<void> {
    ArenaRoom.log.push({ event: "drop", sessionId: client.sessionId, code });
    this.allowReconnection(client, 5).catch(() => {});
  }

  override onReconnect(client: Client): void {
    ArenaRoom.log.push({ event: "reconnect", sessionId: client.sessionId });
  }

  override onLeave(client: Client, code?: number): void {
    this.state.players.delete(client.sessionId);
    ArenaRoom.log.push({ event: "leave", sessionId: client.sessionId, code });
  }
}

export const Move = schema({ dx: t.number() }, "Move");

const Hand = schema({ owner: t.string(), card: t.string().view() }, "Hand");
export const TableState = schema(
  { hands: t.array(Hand), moved: t.number(), light: t.number().unreliable() },
  "TableState",
);
export type TableState = InstanceType<typeof TableState>;

/** Views, inputs, and through these the timed frames that come with inputs. */
export class TableRoom extends Room<{ state: TableState; input: InstanceType<typeof Move> }> {
  override state: TableState = new TableState();
  override patchRate: number | null = 20;
  override inputs = this.defineInput(Move);

  override onCreate(): void {
    this.state.moved = 0;
    this.state.light = 0;
    this.setTimestep(() => {
      for (const { sessionId } of this.clients) {
        for (const { dx } of this.inputs.get(sessionId)) {
          this.state.moved += dx;
          this.state.light += dx;
        }
      }
    }, 10);
  }

  override onJoin(client: Client): void {
    const hand = new Hand();
    hand.owner = client.sessionId;
    hand.card = `ace of ${client.sessionId}`;
    this.state.hands.push(hand);
    client.view = new StateView();
    client.view.add(hand);
  }
}

/** Undefined until the first state has come. */
export const players = (state: ArenaState): MapSchema<Player> | undefined => state.players;
