/** The STUN responder of a lobby, as `npm run lobby` starts it: whoever forges a source makes it send little there. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { StunBuilder } from "../../sdk/src/stun/builder.ts";
import { StunAttribute as A, StunMethod } from "../../sdk/src/stun/constants.ts";
import { StunMessage } from "../../sdk/src/stun/message.ts";
import { freePort, RunningProgram } from "./lobby-programs.ts";

const request = (): StunBuilder => new StunBuilder(StunMethod.BINDING, "request");
const many = (count: number): Buffer => {
  const builder = request();
  for (let i = 0; i < count; i++) builder.flag(0x7000 + i);
  return builder.build();
};

/** What, its bytes, and the most bytes of the answer per byte of the request; 0: no answer. */
const TABLE: [what: string, bytes: Buffer, most: number][] = [
  ["the shortest request", request().build(), 1.6],
  ["with a fingerprint", request().fingerprint().build(), 1.6],
  ["with one unknown attribute", many(1), 1.6],
  ["with an unknown attribute and a fingerprint", request().flag(0x7001).fingerprint().build(), 1.6],
  ["with 60 unknown attributes", many(60), 1],
  ["with 300 unknown attributes", many(300), 1],
  [
    "for another port of the source",
    request()
      .uint32(A.RESPONSE_PORT, 9 * 0x1_0000)
      .build(),
    1.6,
  ],
  ["from another address or port", request().uint32(A.CHANGE_REQUEST, 6).build(), 1.6],
  ["with padding", request().add(A.PADDING, Buffer.alloc(1200)).build(), 0.1],
  ["with a broken fingerprint", Buffer.concat([request().fingerprint().build().subarray(0, -1), Buffer.of(0)]), 0],
  ["an indication", new StunBuilder(StunMethod.BINDING, "indication").build(), 0],
  ["a response", new StunBuilder(StunMethod.BINDING, "success").build(), 0],
  ["an allocation", new StunBuilder(StunMethod.ALLOCATE, "request").build(), 0],
  ["junk", Buffer.alloc(500, 1), 0],
];

const stack = new AsyncDisposableStack();
let port: number;
let socket: Socket;

beforeAll(async () => {
  port = await freePort();
  const lobby = stack.use(
    new RunningProgram("lobby.ts", [], { PORT: String(await freePort()), STUN_PORT: String(port) }),
  );
  await lobby.line(/Lobby at/);
  socket = createSocket("udp4").bind();
  await once(socket, "listening");
  stack.defer(() => void socket.close());
});
afterAll(async () => await stack.disposeAsync());

/** The bytes of the answer; 0 where there is none: another request, sent after, has its answer first. */
async function answerTo(bytes: Buffer): Promise<number> {
  const probe = request();
  const mark = Buffer.from(probe.transactionId);
  let length = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const onMessage = (data: Buffer): void => {
    if (StunMessage.decode(data)?.transactionId.equals(mark)) resolve();
    else length = data.length;
  };
  socket.on("message", onMessage);
  socket.send(bytes, port, "127.0.0.1");
  socket.send(probe.build(), port, "127.0.0.1");
  await promise;
  socket.off("message", onMessage);
  return length;
}

test.each(TABLE)("%s", async (_what, bytes, most) => {
  const length = await answerTo(bytes);
  if (most === 0) expect(length).toBe(0);
  expect(length / bytes.length).toBeLessThanOrEqual(most);
});

// Last, for it is this machine that gets nothing after it.
test("5000 requests as if from one network: at most a thousand answers at once, and a hundred a second", async () => {
  let answers = 0;
  socket.on("message", () => answers++);
  const began = performance.now();
  for (let sent = 0; sent < 5000; ) {
    for (const end = sent + 50; sent < end; sent++) socket.send(request().build(), port, "127.0.0.1");
    // So that the system drops few of them.
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const seconds = (performance.now() - began) / 1000;
  expect(answers).toBeGreaterThan(100);
  expect(answers).toBeLessThanOrEqual(1024 + 128 * (seconds + 1));
});
