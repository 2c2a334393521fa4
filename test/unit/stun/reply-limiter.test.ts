import { createSocket } from "node:dgram";
import { once } from "node:events";
import { expect, test } from "vitest";
import { StunBuilder } from "../../../sdk/src/stun/builder.ts";
import { StunMethod } from "../../../sdk/src/stun/constants.ts";
import { StunReplyLimiter } from "../../../sdk/src/stun/reply-limiter.ts";
import { StunServer } from "../../../sdk/src/stun/server.ts";

const granted = (limiter: StunReplyLimiter, count: number, address: (i: number) => string, now = 0): number =>
  Array.from({ length: count }, (_, i) => limiter.take(address(i), now)).filter(Boolean).length;

test("a /24 and a /48 have one bucket each, and all together another", () => {
  const limiter = new StunReplyLimiter();
  expect(granted(limiter, 5000, (i) => `203.0.113.${i % 256}`)).toBe(1024);
  expect(granted(limiter, 5000, (i) => `203.0.113.${i % 256}`, 1000)).toBe(128);
  expect(granted(limiter, 5000, (i) => `2001:db8:1:${i.toString(16)}::1`)).toBe(1024);
  expect(granted(limiter, 60_000, (i) => `${10 + (i % 200)}.${i % 251}.${i % 241}.1`, 1000)).toBeLessThanOrEqual(
    16_384,
  );
});

test("a server answers within them", async () => {
  await using server = StunServer.open({ port: 0, addresses: ["127.0.0.1"], limits: { networkBurst: 5 } });
  const socket = createSocket("udp4");
  let answers = 0;
  const last = once(socket, "close");
  socket.on("message", () => answers++);
  for (let i = 0; i < 50; i++)
    socket.send(new StunBuilder(StunMethod.BINDING, "request").build(), server.port, "127.0.0.1");
  // One second more grants another 128.
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      if (answers < 6)
        return socket.send(new StunBuilder(StunMethod.BINDING, "request").build(), server.port, "127.0.0.1");
      clearInterval(timer);
      resolve();
    }, 20);
  });
  expect(answers).toBeLessThan(50);
  socket.close();
  await last;
});
