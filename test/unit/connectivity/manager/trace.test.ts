import { expect, test } from "vitest";
import { Report } from "../../../../sdk/src/connectivity/manager/report.ts";
import type { Findings } from "../../../../sdk/src/connectivity/verdict.ts";
import { traced } from "../../traced.ts";

test("a trace tells each step, and the verdict when it is another", () => {
  const lines = traced("connectivity");
  const findings: Omit<Findings, "steps"> = {
    localPort: 7777,
    interfaces: [{ name: "eth0", address: "192.168.1.10" }],
    mappings: [],
    reflexive: [],
    gateways: [],
  };
  const report = new Report(new AbortController().signal, {
    findings: () => findings,
    step: () => undefined,
    change: () => undefined,
  });
  const absent = { step: "mapping", outcome: "absent", ms: 3, reason: "No router answers." } as const;
  report.step(absent);
  report.step({ ...absent, ms: 4 });
  findings.interfaces = [{ name: "eth0", address: "11.0.0.2" }];
  report.update();
  report.update();
  const endpoints = (address: string): string =>
    `["host ${address}:7777 udp via interface", "host ${address}:7777 tcp via interface"]`;
  expect(lines).toEqual([
    'step step=mapping outcome=absent reason="No router answers."',
    `verdict verdict=lan-only localPort=7777 endpoints=${endpoints("192.168.1.10")}`,
    `verdict verdict=open was=lan-only localPort=7777 endpoints=${endpoints("11.0.0.2")}`,
  ]);
});
