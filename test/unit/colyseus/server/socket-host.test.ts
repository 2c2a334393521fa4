import { execFileSync } from "node:child_process";
import { platform } from "node:os";
import { expect, test } from "vitest";
import { SocketHost } from "../../../../sdk/src/colyseus/server/hosts/socket-host.ts";
import { SERVER_RECEIVE_BUFFER_BYTES, UDPSocket } from "../../../../sdk/src/net/udp-socket.ts";

/** SO_RCVBUF as Linux has it: `rb` of ss, in bytes. */
function receiveBufferOf(port: number): number {
  const said = execFileSync("ss", ["-Hunlm", `sport = :${port}`], { encoding: "utf8" });
  return Number(/\brb(\d+)/.exec(said)?.[1]);
}

test.runIf(platform() === "linux")("a socket alone has the buffer of a server", async () => {
  const host = new SocketHost();
  const sessions = await host.open(0, "127.0.0.1");
  const [{ port } = { port: 0 }] = host.endpoints();
  await using plain = UDPSocket.open({ address: "127.0.0.1" });
  await using large = UDPSocket.open({ address: "127.0.0.1", receiveBufferSize: SERVER_RECEIVE_BUFFER_BYTES });
  expect(receiveBufferOf(port)).toBe(receiveBufferOf(large.localPort));
  expect(receiveBufferOf(port)).toBeGreaterThan(2 * receiveBufferOf(plain.localPort));
  await sessions.close();
  await host.close();
});

test("what is announced comes first, at the announced port, before the machine's own", async () => {
  const host = new SocketHost({ host: "11.0.1.1", port: 30_000 });
  const sessions = await host.open(0, "127.0.0.1");
  const [announced, own] = host.endpoints();
  expect(announced).toEqual({ kind: "mapped", address: "11.0.1.1", port: 30_000 });
  expect([own?.kind, own?.address, host.announced()]).toEqual(["host", "127.0.0.1", ["11.0.1.1"]]);
  expect(host.dialable()[0]).toEqual({ address: "11.0.1.1", port: 30_000 });
  await sessions.close();
  await host.close();
});

test("a name that leads nowhere is no reason not to listen", async () => {
  const host = new SocketHost({ host: "nowhere.invalid" });
  const sessions = await host.open(0, "127.0.0.1");
  expect(host.endpoints().map(({ kind }) => kind)).toEqual(["host"]);
  await sessions.close();
  await host.close();
});
