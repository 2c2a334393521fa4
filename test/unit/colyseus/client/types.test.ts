import { type Client, defineRoom, type RegisteredHandler, Room, type Server } from "@colyseus/core";
import { expectTypeOf, test } from "vitest";
import { SallyportClient } from "../../../../sdk/src/colyseus/client/client.ts";
import { type RoomPath } from "../../../../sdk/src/colyseus/client/path.ts";
import { type SallyportRoom } from "../../../../sdk/src/colyseus/client/room.ts";
import { sendUnreliable } from "../../../../sdk/src/colyseus/server/clients/unreliable.ts";

interface ChessState {
  turn: string;
}

class ChessRoom extends Room<{ state: ChessState }> {
  override onJoin(_client: Client, _options: { name: string }): void {}
  override messages = {
    move: (_client: Client, message: { from: string; to: string }): boolean => message.from !== message.to,
  };
}

type Chess = Server<{ chess: RegisteredHandler<ChessRoom> }>;
void defineRoom(ChessRoom);

// Compiled, not run: what a game's editor shows.
test("rooms keep Colyseus' types, and have a path", () => {
  const typed = (): Promise<unknown> => {
    const client = new SallyportClient<Chess>("http://localhost:2567");
    const joins = [
      client.joinOrCreate("chess", { name: "ann" }),
      client.create("chess", { name: "ann" }, undefined, { signal: AbortSignal.timeout(1000) }),
      client.join("chess", { name: "ann" }),
    ];
    expectTypeOf(joins[0]!).resolves.toHaveProperty("path").toEqualTypeOf<RoomPath>();
    expectTypeOf(joins[0]!).resolves.toHaveProperty("state").toEqualTypeOf<ChessState>();
    return Promise.all(joins);
  };
  const byClass = async (): Promise<void> => {
    const client = new SallyportClient("http://localhost:2567");
    const room = await client.joinById<ChessRoom>("id", { name: "ann" });
    expectTypeOf(room.state).toEqualTypeOf<ChessState>();
    expectTypeOf(room.request("move", { from: "e2", to: "e4" })).resolves.toEqualTypeOf<boolean>();
    expectTypeOf(await client.reconnect<ChessRoom>("id:token")).toEqualTypeOf(room);
  };
  const byState = async (): Promise<void> => {
    const room = await new SallyportClient().joinOrCreate<ChessState>("chess");
    // Colyseus' default.
    // oxlint-disable-next-line typescript/no-explicit-any
    expectTypeOf(room).toEqualTypeOf<SallyportRoom<any, ChessState>>();
    room.onPathChange((path) => expectTypeOf(path).toEqualTypeOf<RoomPath>());
  };
  void [typed, byClass, byState];
});

test("sendUnreliable knows a client's messages", () => {
  const send = (client: Client<{ messages: { at: { x: number }; tick: undefined } }>): void => {
    sendUnreliable(client, "at", { x: 1 });
    sendUnreliable(client, "tick");
    // @ts-expect-error no such field
    sendUnreliable(client, "at", { y: 1 });
    // @ts-expect-error a message is missing
    sendUnreliable(client, "at");
    // @ts-expect-error no such message
    sendUnreliable(client, "from", 1);
  };
  const untyped = (client: Client): void => sendUnreliable(client, "anything", { goes: true });
  void [send, untyped];
});
