import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { UDPSocket } from "../../sdk/src/net/udp-socket.ts";
import { StunBuilder } from "../../sdk/src/stun/builder.ts";
import { stunBinding } from "../../sdk/src/stun/client.ts";
import { StunAttribute as A, StunMethod } from "../../sdk/src/stun/constants.ts";
import { StunMessage } from "../../sdk/src/stun/message.ts";
import { StunServer } from "../../sdk/src/stun/server.ts";

const present = ["turnserver", "turnutils_natdiscovery"].every((name) => spawnSync(name, ["-h"]).error === undefined);
if (!present) {
  if (process.env["CI"] !== undefined) throw new Error("coturn is not installed, and CI must not skip it");
  console.log("Skipped: coturn is not installed (Debian: apt-get install coturn).");
}

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill("SIGKILL");
});

/** Two ports, each free on both addresses a moment ago. */
async function freePorts(): Promise<[number, number]> {
  await using a = UDPSocket.open({ address: "0.0.0.0" });
  await using b = UDPSocket.open({ address: "0.0.0.0" });
  return [a.localPort, b.localPort];
}

async function startCoturn(): Promise<[number, number]> {
  const [port, alternate] = await freePorts();
  const flags = [
    "-n",
    "--stun-only",
    "--no-cli",
    "--no-tcp",
    "--no-tls",
    "--no-dtls",
    "--log-file=stdout",
    "--pidfile=/dev/null",
  ];
  const where = [
    `-p${port}`,
    `--alt-listening-port=${alternate}`,
    "--listening-ip=127.0.0.1",
    "--listening-ip=127.0.0.2",
  ];
  const coturn = spawn("turnserver", [...flags, ...where], { stdio: "ignore" });
  running.push(coturn);
  // It says nothing reliable when it is ready; it is when it answers.
  await using socket = UDPSocket.open({ address: "127.0.0.1" });
  for (;;) {
    const [outcome] = await stunBinding(socket, [`127.0.0.1:${port}`], { timeoutMs: 300 });
    if (outcome?.mapped !== undefined) return [port, alternate];
    if (coturn.exitCode !== null) throw new Error(`turnserver ended with ${coturn.exitCode}`);
  }
}

async function run(command: string, args: string[]): Promise<string> {
  const child = spawn(command, args);
  running.push(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text: Buffer) => (output += text.toString()));
  await once(child, "close");
  return output;
}

describe.skipIf(!present)("coturn", () => {
  test("answers our Binding and tells its other address", async () => {
    const [port, alternate] = await startCoturn();
    await using socket = UDPSocket.open();
    const [outcome] = await stunBinding(socket, [`stun:127.0.0.1:${port}`]);
    expect(outcome?.mapped).toEqual({ address: "127.0.0.1", port: socket.localPort });
    expect(outcome?.otherAddress).toEqual({ address: "127.0.0.2", port: alternate });
  });

  test("refuses what it does not know with 420, which we read", async () => {
    const [port] = await startCoturn();
    await using socket = UDPSocket.open({ address: "127.0.0.1" });
    const answered = new Promise<Buffer>((resolve) => {
      socket.onDatagram = resolve;
    });
    socket.send(new StunBuilder(StunMethod.BINDING, "request").flag(0x7001).build(), port, "127.0.0.1");
    const message = StunMessage.decode(await answered);
    expect([message?.errorCode()?.code, message?.unknownAttributes()]).toEqual([420, [0x7001]]);
    expect(message?.has(A.SOFTWARE)).toBe(true);
  });

  test("its judge of NATs finds through our server that loopback has none", async () => {
    await using server = StunServer.open({ port: 0, addresses: ["127.0.0.1", "127.0.0.2"] });
    const args = ["-m", "-f", "-L", "127.0.0.1", "-p", String(server.port), "127.0.0.1"];
    const output = await run("turnutils_natdiscovery", args);
    expect(output).toContain("No NAT! (Endpoint Independent Mapping)");
    expect(output).toContain("NAT with Endpoint Independent Filtering!");
  });
});
