import { LocalDriver, matchMaker } from "@colyseus/core";
import { expect, onTestFinished, test } from "vitest";
import { holdDriverShutdown } from "../../../../sdk/src/colyseus/server/replaced/driver-shutdown.ts";
import { closeInOrder } from "../../../../sdk/src/colyseus/server/shutdown.ts";

test("ports are given back after players' sessions have ended", async () => {
  const order: string[] = [];
  const close = (name: string) => async () => void order.push(name);
  const session = Promise.withResolvers<void>();
  const closed = closeInOrder({
    webSocket: { shutdown: () => order.push("WebSocket") },
    listings: { close: close("listings") },
    endpoints: [{ close: () => session.promise }, { close: close("WebRTC") }],
    host: { close: close("host") },
  });
  await Promise.resolve();
  expect(order).toEqual(["WebSocket", "listings", "WebRTC"]);
  session.resolve();
  await closed;
  expect(order).toEqual(["WebSocket", "listings", "WebRTC", "host"]);
});

test("Colyseus waits for the transport, by its driver", async () => {
  await matchMaker.setup(undefined, new LocalDriver());
  const { driver } = matchMaker;
  const order: string[] = [];
  driver.shutdown = async () => void order.push("driver");
  onTestFinished(() => {
    Reflect.deleteProperty(driver, "shutdown");
  });
  const own = driver.shutdown;
  const closed = Promise.withResolvers<void>();
  const held = holdDriverShutdown(closed.promise.then(() => void order.push("transport")));
  const shutdown = driver.shutdown();
  closed.resolve();
  await Promise.all([shutdown, held]);
  expect(order).toEqual(["transport", "driver"]);
  expect(driver.shutdown).toBe(own);
});
