import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { UDPSocket } from "../../sdk/src/net/udp-socket.ts";
import { GodotError } from "../../sdk/src/udp/godot-error.ts";
import { PacketPeerUDP } from "../../sdk/src/udp/packet-peer-udp.ts";
import { UDPServer } from "../../sdk/src/udp/udp-server.ts";
import type { Variant } from "../../sdk/src/udp/variant.ts";

const GODOT = process.env["GODOT3_SERVER"] ?? "godot3-server";
const present = spawnSync(GODOT, ["--version"]).error === undefined;
if (!present) {
  if (process.env["CI"] !== undefined) throw new Error(`${GODOT} is not installed, and CI must not skip it`);
  console.log(`Skipped: ${GODOT} is not installed (Debian: apt-get install godot3-server).`);
}

const running: ChildProcess[] = [];
afterEach(() => {
  for (const godot of running.splice(0)) godot.kill("SIGKILL");
});

function startGodot(script: string, port: number): { exited: Promise<number | null>; output: () => string } {
  const path = fileURLToPath(new URL(`godot/${script}`, import.meta.url));
  const godot = spawn(GODOT, ["-s", path], { env: { ...process.env, PORT: String(port), LANG: "en_US.UTF-8" } });
  running.push(godot);
  let output = "";
  for (const stream of [godot.stdout, godot.stderr]) stream.on("data", (text: Buffer) => (output += text.toString()));
  return { exited: once(godot, "close").then(([code]) => code as number | null), output: () => output };
}

async function freePort(): Promise<number> {
  await using socket = UDPSocket.open({ address: "127.0.0.1" });
  return socket.localPort;
}

describe.skipIf(!present)("Godot 3", () => {
  test.each(["polling", "iterating"])("a Godot client and our UDPServer, %s, exchange Variants", async (style) => {
    await using server = new UDPServer({ variantFormat: 3 });
    expect(server.listen(0)).toBe(GodotError.OK);
    const client = startGodot("client.gd", server.getLocalPort());
    const heard: Variant[] = [];
    const echo = (peer: PacketPeerUDP): void => {
      while (peer.getAvailablePacketCount() > 0) {
        const value = peer.getVar();
        expect(peer.getPacketError()).toBe(GodotError.OK);
        heard.push(value);
        expect(peer.putVar(value)).toBe(GodotError.OK);
      }
    };
    if (style === "polling") {
      const peers: PacketPeerUDP[] = [];
      const polling = setInterval(() => {
        server.poll();
        const peer = server.takeConnection();
        if (peer !== null) peers.push(peer);
        peers.forEach(echo);
      }, 1);
      await client.exited;
      clearInterval(polling);
    } else {
      void client.exited.then(() => {
        server.stop();
      });
      for await (const peer of server) while ((await peer.wait()) === GodotError.OK) echo(peer);
    }
    expect([await client.exited, client.output()]).toEqual([0, expect.stringContaining("echoed 11")]);
    expect(heard).toContainEqual({ a: 1, b: { c: null } });
    expect(heard).toContainEqual([1, "a", [2.5]]);
    expect(heard).toContainEqual(5_000_000_000);
    expect(heard).toContainEqual(Uint8Array.of(1, 2, 3));
  });

  test("our PacketPeerUDP and a Godot UDPServer exchange packets and Variants", async () => {
    const port = await freePort();
    const server = startGodot("server.gd", port);
    await using peer = new PacketPeerUDP({ variantFormat: 3 });
    expect(peer.connectToHost("127.0.0.1", port)).toBe(GodotError.OK);

    // Until Godot has started nobody answers.
    const knocking = setInterval(() => peer.putPacket(Buffer.from("knock")), 50);
    expect(await peer.wait()).toBe(GodotError.OK);
    clearInterval(knocking);
    await using other = new PacketPeerUDP({ variantFormat: 3 });
    other.connectToHost("127.0.0.1", port);

    const values: Variant[] = [
      null,
      false,
      -7,
      2 ** 40,
      0.1,
      "ä€😀",
      [1, [2]],
      { x: 1.5, y: { z: "z" } },
      Uint8Array.of(9),
    ];
    for (const value of values) {
      other.putVar(value);
      await other.wait();
      expect([other.getVar(), other.getPacketError()]).toEqual([value, GodotError.OK]);
    }
    for (const size of [1, 1200, 9000]) {
      const packet = Buffer.alloc(size, size);
      other.putPacket(packet);
      await other.wait();
      expect(other.getPacket().equals(packet)).toBe(true);
      expect([other.getPacketIp(), other.getPacketPort()]).toEqual(["127.0.0.1", port]);
    }
    other.putPacket(Buffer.from("quit"));
    expect(await server.exited).toBe(0);
  });
});
