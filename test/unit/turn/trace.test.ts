import { expect, test } from "vitest";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { TurnError } from "../../../sdk/src/turn/errors.ts";
import { openTurnRelay } from "../../../sdk/src/turn/open.ts";
import { traced } from "../traced.ts";
import { CREDENTIALS } from "./scripted-server.ts";
import { World } from "./world.ts";

const PEER = { address: "203.0.113.50", port: 7000 };

test("a trace tells an allocation from the first request to its end", () => {
  const lines = traced("turn");
  const world = new World().allocate();
  world.allocation.permit(PEER.address, world.now);
  world.run(100);
  world.allocation.release(world.now);
  world.run(100);
  expect(lines).toEqual([
    "request ask=allocate server=192.0.2.1:3478 signed=false",
    "challenged ask=allocate server=192.0.2.1:3478 code=401",
    "request ask=allocate server=192.0.2.1:3478 signed=true",
    "granted ask=allocate server=192.0.2.1:3478 lifetimeSeconds=600",
    "relayed server=192.0.2.1:3478 relayed=198.51.100.7:50000 mapped=203.0.113.9:40000",
    "request ask=permission server=192.0.2.1:3478 peer=203.0.113.50 signed=true",
    "granted ask=permission server=192.0.2.1:3478 peer=203.0.113.50",
    "request ask=release server=192.0.2.1:3478 signed=true",
    "granted ask=release server=192.0.2.1:3478 lifetimeSeconds=0",
    'ended server=192.0.2.1:3478 failure=aborted reason="The relayed address was given back."',
  ]);
});

test("a refused credential is told with what the person can do, and is not itself told", () => {
  const lines = traced("turn");
  const credentials = { username: "me-1700000000", credential: "s3cret-credential" };
  expect(new World({ credentials }).allocate().ended?.failure).toBe("unauthorized");
  expect(lines.find((line) => line.startsWith("refused"))).toMatch(
    /^refused ask=allocate server=192\.0\.2\.1:3478 code=401 failure=unauthorized reason="The TURN server .*wrong, or have expired/,
  );
  expect(lines.join("\n")).not.toMatch(/s3cret-credential|me-1700000000/);
});

test("a server that is named with user and password shows neither", async () => {
  const lines = traced("turn");
  await using socket = UDPSocket.open({ address: "127.0.0.1" });
  const urls = ["turn:user:s3cret@192.0.2.1", "turn:"];
  const error: unknown = await openTurnRelay({ socket, servers: [{ urls, ...CREDENTIALS }] }).catch(
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TurnError);
  expect(String(error)).toContain("turn:…@192.0.2.1");
  expect(String(error) + lines.join("\n")).not.toContain("s3cret");
  expect(lines).toHaveLength(2);
  expect(lines[1]).toMatch(/^failed host=none failure=invalid-server reason=/);
});
