import { expect, test } from "vitest";
import { GatewayError, type GatewayErrorKind } from "../../../../sdk/src/gateway/gateway.ts";
import { PortPlan } from "../../../../sdk/src/gateway/mapper/ports.ts";

const WISHES = { externalPort: 9000, internalPort: 7777, machine: "a", application: "b" };

const refusal = (kind: GatewayErrorKind, code?: number): GatewayError =>
  new GatewayError(kind, `it is ${kind}`, { code });

/** The ports that are tried while each is refused by `refuse`, and how it ends. */
function run(plan: PortPlan, refuse: (port: number) => GatewayError): { ports: number[]; error: GatewayError } {
  const ports: number[] = [];
  for (let i = 0; i < 100; i++) {
    ports.push(plan.port);
    try {
      plan.next(refuse(plan.port));
    } catch (error) {
      return { ports, error: error as GatewayError };
    }
  }
  return expect.fail("it does not end");
}

test("the requested port, the game's own, alternatives, and at last what the gateway has near the requested one", () => {
  const { ports, error } = run(new PortPlan(WISHES, "192.168.1.1"), () => refusal("conflict", 718));
  expect(ports.slice(0, 2)).toEqual([9000, 7777]);
  expect(new Set(ports.slice(0, 8)).size).toBe(8);
  expect(ports[8]).toBe(9000);
  expect(ports.length).toBe(10);
  expect(error).toMatchObject({ kind: "conflict", code: 718, message: "all 10 ports tried are taken: it is conflict" });
});

test("a preferred port comes first, and the others are the same", () => {
  const { ports } = run(new PortPlan(WISHES, "192.168.1.1"), () => refusal("conflict"));
  const { ports: again } = run(new PortPlan(WISHES, "192.168.1.1", 30_000), () => refusal("conflict"));
  expect(again.slice(0, 8)).toEqual([30_000, ...ports.slice(0, 7)]);
  expect(again.length).toBe(11);
  const { ports: own } = run(new PortPlan(WISHES, "192.168.1.1", 7777), () => refusal("conflict"));
  expect(own[0]).toBe(7777);
  expect(new Set(own.slice(0, 8))).toEqual(new Set(ports.slice(0, 8)));
});

test("the last ports are not asked for exactly: the gateway may choose", () => {
  const plan = new PortPlan(WISHES, "192.168.1.1");
  const exact: boolean[] = [];
  run(plan, () => {
    exact.push(plan.isExact);
    return refusal("conflict");
  });
  expect(exact).toEqual([...Array.from({ length: 8 }, () => true), false, false]);
});

test("a router that wants the same number gets one more chance", () => {
  const plan = new PortPlan(WISHES, "192.168.1.1");
  plan.next(refusal("same-port", 724));
  expect(plan.port).toBe(7777);
  expect(() => plan.next(refusal("conflict"))).toThrow(/let the game listen on another port/);
  const both = new PortPlan({ ...WISHES, externalPort: 7777 }, "192.168.1.1");
  expect(() => both.next(refusal("same-port"))).toThrow("it is same-port");
});

test("a router that forbids the port may have one of its own choice, once", () => {
  const plan = new PortPlan(WISHES, "192.168.1.1");
  const exact: boolean[] = [];
  const { ports, error } = run(plan, () => {
    exact.push(plan.isExact);
    return refusal("forbidden", exact.length);
  });
  expect({ ports, exact }).toEqual({ ports: [9000, 9000], exact: [true, false] });
  expect(error).toMatchObject({ kind: "forbidden", code: 1 });
});

test("three ports that are refused without a reason are enough: the table may be full", () => {
  const { ports, error } = run(new PortPlan(WISHES, "192.168.1.1"), () => refusal("unexplained", 501));
  expect(new Set(ports).size).toBe(3);
  expect(error).toMatchObject({ kind: "unexplained", code: 501 });
});

test.each(["refused", "private", "unreachable", "full"] as const)("%s: no other port helps", (kind) => {
  expect(run(new PortPlan(WISHES, "192.168.1.1"), () => refusal(kind))).toMatchObject({
    ports: [9000],
    error: { kind },
  });
});
