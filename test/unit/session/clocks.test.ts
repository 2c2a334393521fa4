/** Wall clocks are set while a server runs: by NTP on a computer whose hardware clock holds local time, by a resumed virtual machine. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Clock } from "../../../sdk/src/net/clock.ts";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { connectSession } from "../../../sdk/src/session/connect.ts";
import { UDPSessionServer, type UDPSessionServerOptions } from "../../../sdk/src/session/server.ts";
import { tokenClock } from "../../../sdk/src/session/token-clock.ts";
import type { Session } from "../../../sdk/src/session/types.ts";

const LOOPBACK = "127.0.0.1";
const HOUR_MS = 3_600_000;
/** The server reads its clock every 100 ms. */
const SEEN_MS = 250;

const realNow = Date.now;
const stepTo = (aheadMs: number): void => void vi.spyOn(Date, "now").mockImplementation(() => realNow() + aheadMs);

let socket: UDPSocket;
let server: UDPSessionServer;
let ids = 0n;

async function open(options: UDPSessionServerOptions = {}): Promise<void> {
  socket = UDPSocket.open({ address: LOOPBACK });
  server = await UDPSessionServer.open(socket, options);
}

const token = (): Uint8Array =>
  server.createToken({
    clientId: ++ids,
    addresses: [{ address: LOOPBACK, port: socket.localPort }],
    userData: new Uint8Array(0),
    timeoutSeconds: 5,
  });

async function join(bytes: Uint8Array = token()): Promise<Session> {
  const session = await connectSession(bytes, { timeoutMs: 2000 });
  session.close();
  return session;
}

const seen = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, SEEN_MS));

afterEach(async () => {
  vi.restoreAllMocks();
  await server.close();
  await socket.close();
});

describe("a server with a key of its own", () => {
  beforeEach(() => open());

  test.each([-24, -1, -5 / 3600, 1, 24])("lets players in after its clock was stepped by %d h", async (hours) => {
    stepTo(hours * HOUR_MS);
    await seen();
    await join();
  });

  test.each([-1, 1])("takes a token that was made before the clock was stepped by %d h", async (hours) => {
    const before = token();
    stepTo(hours * HOUR_MS);
    await seen();
    await join(before);
  });

  test("takes a token once, however its clock is stepped", async () => {
    const used = token();
    await join(used);
    // The tokens that were used are forgotten when they have expired: that must not come early.
    stepTo(HOUR_MS);
    await seen();
    await join();
    stepTo(0);
    await seen();
    await expect(join(used)).rejects.toMatchObject({ code: "timeout" });
  });
});

test("a server that shares its key lets players in after its clock was set back, though it started in what is now the future", async () => {
  await open({ privateKey: new Uint8Array(32).fill(7) });
  // A second after its start at the latest no token of the run before is left to be told apart.
  await new Promise((resolve) => setTimeout(resolve, 1100));
  stepTo(-HOUR_MS);
  await seen();
  await join();
});

test("tokens of one server live by its monotonic clock, those of several by the wall clock", async () => {
  let [ms, wall] = [1_000, 1_700_000_000_000];
  const clock: Clock = { now: () => ms, unixNow: () => wall, after: () => () => undefined };
  const [own, shared] = [tokenClock(false, clock), tokenClock(true, clock)];
  expect([own(), shared()]).toEqual([1_700_000_000, 1_700_000_000]);
  ms += 5_000;
  wall -= HOUR_MS;
  expect([own(), shared()]).toEqual([1_700_000_005, 1_699_996_400]);
  await open();
});
