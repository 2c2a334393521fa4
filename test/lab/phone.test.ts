// A phone's browser in mid-game: it is put away, and it leaves the house. The page comes back to its seat by itself.
import { afterAll, beforeAll, expect, test } from "vitest";
import { hasChromium } from "../interop/page-chromium.ts";
import { type Host, Lab, type LabProcess } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

interface Told extends Record<string, unknown> {
  event: string;
  kind: string;
  sessionId: string;
  heard: number;
}

describeLab.runIf(hasChromium)("a page on a phone", () => {
  let lab: Lab;
  let machine: Host;
  let phone: LabProcess;
  let sessionId = "";

  const told = (fits: (event: Told) => boolean): Promise<Told> => phone.waitForJson<Told>(fits, 30_000);
  const isPlaying = ({ event, heard }: Told): boolean => event === "playing" && heard > 0;

  beforeAll(async () => {
    lab = await Lab.create();
    const gateway = await lab.gateway();
    const server = await lab.host();
    machine = await gateway.host();
    const host = server.spawnModule(new URL("./modules/phone-host.ts", import.meta.url));
    await host.waitForJson(({ event }) => event === "listening", 20_000);
    phone = machine.spawnModule(new URL("./modules/phone.ts", import.meta.url), {
      url: `http://${server.address}:2567`,
    });
    const joined = await told(({ event }) => event === "joined");
    expect(joined.kind).toBe("direct");
    ({ sessionId } = joined);
    await told(isPlaying);
  }, 60_000);
  afterAll(async () => await lab?.[Symbol.asyncDispose]());

  test("that slept for longer than the server waits has its seat again when it wakes", async () => {
    phone.write("sleep\n");
    await told(({ event }) => event === "sleep");
    await new Promise((resolve) => setTimeout(resolve, 5000));
    phone.write("wake\n");
    const back = await told(({ event }) => event === "back");
    expect(back).toMatchObject({ sessionId, kind: "direct" });
    expect((await told(isPlaying)).sessionId).toBe(sessionId);
  });

  test("that comes into another network plays on, or has its seat again", async () => {
    await machine.setAddress();
    await told((event) => event.event === "playing" && event.heard === 0).catch(() => undefined);
    const playing = await told((event) => isPlaying(event) && event.kind === "direct");
    expect(playing.sessionId).toBe(sessionId);
  });
});
