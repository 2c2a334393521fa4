// Godot's documented UDPServer example in Node behind a home router, and a real Godot client outside.
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { Lab } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const file = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const PORT = 4433;

describeLab("udp-echo behind a home router", () => {
  test("a Godot client on the internet talks to it through the port that `sallyport map` opened", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ nat: "port-restricted", upnp: { igd: 2 } });
    const [home, player] = await Promise.all([gateway.host(), lab.host()]);
    const echo = home.spawn([process.execPath, file("examples/udp-echo/src/server.ts")], {
      env: { PORT: String(PORT) },
    });
    await echo.waitForLine(/Echoing on UDP port 4433/);
    const map = home.spawn([
      process.execPath,
      file("sdk/dist/cli/main.js"),
      "map",
      "--wait",
      String(PORT),
      "--protocol",
      "udp",
      "--json",
    ]);
    const { externalPort } = await map.waitForJson(({ event }) => event === "mapped", 15_000);
    expect(externalPort).toBe(PORT);

    const client = player.godot(new URL("../../examples/udp-echo/client.gd", import.meta.url), [
      gateway.wanAddress,
      String(PORT),
    ]);
    await client.waitForLine(/Connected: The answer is\.\.\. 42!/, 20_000);
    expect((await client.exited).code).toBe(0);
    await echo.waitForLine(/Received data: "The answer is\.\.\. 42!"/);

    map.kill("SIGINT");
    await map.waitForJson(({ event }) => event === "unmapped");
    expect((await map.exited).code, map.output.join("\n")).toBe(0);
    expect(await gateway.mappings()).toEqual([]);
    echo.kill("SIGTERM");
    expect((await echo.exited).code).toBe(0);
  });
});
