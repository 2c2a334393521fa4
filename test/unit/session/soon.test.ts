import { afterEach, expect, test, vi } from "vitest";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

test.each([
  { where: "where there is setImmediate", stub: (): unknown => undefined },
  { where: "in a page, which has none", stub: () => vi.stubGlobal("setImmediate", undefined) },
])("$where, what is to run soon runs in order, each in a task of its own", async ({ stub }) => {
  stub();
  const { soon } = await import("../../../sdk/src/session/soon.ts");
  const order: string[] = [];
  const done = new Promise<void>((resolve) => {
    soon(() => {
      order.push("one");
      void Promise.resolve().then(() => order.push("after one"));
    });
    soon(() => {
      order.push("two");
      resolve();
    });
  });
  order.push("now");
  await done;
  expect(order).toEqual(["now", "one", "after one", "two"]);
});
