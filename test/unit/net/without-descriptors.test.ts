import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";

const PROGRAM = fileURLToPath(new URL("./programs/without-descriptors.ts", import.meta.url));

// Windows has no such limit.
test.skipIf(process.platform === "win32")(
  "nothing throws in a process that has no descriptor left, and the LAN is heard again",
  async () => {
    const free = UDPSocket.open();
    const lanPort = free.localPort;
    await free.close();
    const command = ["-c", 'ulimit -n 64; exec "$@"', "sh", process.execPath, PROGRAM, JSON.stringify({ lanPort })];
    const { stdout } = await promisify(execFile)("sh", command, { timeout: 30_000 });
    const { before, during, hello } = JSON.parse(stdout) as {
      before: { interfaces: object; routes: object[] };
      during: Record<string, unknown>;
      hello: string;
    };
    expect(Object.keys(before.interfaces).length).toBeGreaterThan(0);
    expect(during).toEqual({
      system: "ERR_SYSTEM_ERROR",
      interfaces: before.interfaces,
      routes: before.routes,
      socket: false,
      probe: "unsupported",
      behaviour: "unknown",
      lifetime: "unanswered",
    });
    expect(hello).toBe("hello");
  },
);
