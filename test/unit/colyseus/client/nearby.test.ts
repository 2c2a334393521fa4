/** A public address that leads, or does not lead, to a host in the player's own house. */
import { expect, test } from "vitest";
import { Nearby } from "../../../../sdk/src/colyseus/client/nearby.ts";
import { LanAnnouncer } from "../../../../sdk/src/lan/announcer.ts";
import { Cable, CableEnd } from "../../lan/cable.ts";

const PUBLIC = "http://11.0.1.2:7001";
const INSIDE = "http://192.168.1.10:7777";
const never = (signal: AbortSignal | null | undefined): Promise<never> =>
  new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true }));
const refused = (): Promise<never> =>
  Promise.reject(
    new TypeError("fetch failed", { cause: Object.assign(new Error("refused"), { code: "ECONNREFUSED" }) }),
  );

/** How each address answers; whoever hosts on the cable says that it is `11.0.1.2:7001` outside. */
function house(
  answers: Record<string, (init: RequestInit) => Promise<Response>>,
  connects: (url: URL) => Promise<void> = () => new Promise(() => {}),
) {
  const cable = new Cable();
  const host = new LanAnnouncer(
    { name: "Ann's", port: 7777 },
    { network: new CableEnd(cable, "192.168.1.10"), isKnownAs: (endpoint) => endpoint === "11.0.1.2:7001" },
  );
  const player = new CableEnd(cable, "192.168.1.20");
  const asked: string[] = [];
  let lookups = 0;
  const multicast = player.multicast.bind(player);
  player.multicast = (datagram) => {
    lookups++;
    multicast(datagram);
  };
  const nearby = new Nearby({
    network: player,
    connects,
    fetch: (input, init = {}) => {
      const { href, origin } = new URL(input as string | URL);
      asked.push(href);
      return (answers[origin] ?? refused)(init);
    },
  });
  const found: string[] = [];
  nearby.onMove = ({ address, port }) => found.push(`http://${address}:${port}`);
  return { nearby, asked, found, lookups: () => lookups, [Symbol.asyncDispose]: () => host.close() };
}
const ok = () => Promise.resolve(new Response("seat"));

test("an address that answers is that of the host, and the network is not asked", async () => {
  await using home = house({ [PUBLIC]: ok });
  expect(await (await home.nearby.fetch(`${PUBLIC}/matchmake/join/arena`)).text()).toBe("seat");
  expect([home.lookups(), home.found, home.nearby.explain("11.0.1.2")]).toEqual([0, [], ""]);
});

test.each([
  ["refuses", () => refused()],
  ["is silent", (init: RequestInit) => never(init.signal)],
])("an address that %s: the host is next door", async (_what, dialed) => {
  await using home = house({ [PUBLIC]: dialed, [INSIDE]: ok });
  const init = { method: "POST", body: "{}" };
  expect(await (await home.nearby.fetch(`${PUBLIC}/matchmake/join/arena?a=1`, init)).text()).toBe("seat");
  expect(home.asked).toEqual([`${PUBLIC}/matchmake/join/arena?a=1`, `${INSIDE}/matchmake/join/arena?a=1`]);
  expect(home.found).toEqual([INSIDE]);
  expect(home.nearby.explain("192.168.1.10")).toBe(
    "11.0.1.2:7001 does not answer from inside its own network, where its host is 192.168.1.10:7777",
  );
});

test("whoever leaves the house goes back to the public address", async () => {
  const answers: Parameters<typeof house>[0] = { [INSIDE]: ok };
  await using home = house(answers);
  await home.nearby.fetch(`${PUBLIC}/one`);
  answers[PUBLIC] = ok;
  expect(await (await home.nearby.fetch(`${INSIDE}/two`)).text()).toBe("seat");
  delete answers[INSIDE];
  expect(await (await home.nearby.fetch(`${INSIDE}/three`)).text()).toBe("seat");
  expect(home.asked).toEqual([`${PUBLIC}/one`, `${INSIDE}/one`, `${INSIDE}/two`, `${INSIDE}/three`, `${PUBLIC}/three`]);
  expect(home.found).toEqual([INSIDE, PUBLIC]);
  expect(home.nearby.explain("11.0.1.2")).toBe("");
});

test("nobody next door overtakes an address that is there and only slow", async () => {
  const slow = Promise.withResolvers<Response>();
  const connected = Promise.withResolvers<void>();
  await using home = house({ [PUBLIC]: () => slow.promise, [INSIDE]: ok }, () => connected.promise);
  const answer = home.nearby.fetch(PUBLIC);
  while (home.lookups() === 0) await new Promise((wake) => setTimeout(wake, 5));
  connected.resolve();
  slow.resolve(new Response("slow"));
  expect(await (await answer).text()).toBe("slow");
  expect([home.asked, home.found]).toEqual([[`${PUBLIC}/`], []]);
});

test("where nobody answers, the error says who and why", async () => {
  await using home = house({});
  await expect(home.nearby.fetch("http://11.0.1.9:80/x")).rejects.toThrow(
    "The host does not answer: http://11.0.1.9 (ECONNREFUSED). Is the game running there, and is this its port?",
  );
  expect(home.lookups()).toBeGreaterThan(0);
});

test.each([
  "https://11.0.1.2:7001",
  "http://127.0.0.1:7001",
  "http://192.168.1.99:7001",
  "http://100.64.0.1:7001",
  "http://[2a11::1]:7001",
])("%s is nobody's public address that a neighbour may claim", async (url) => {
  await using home = house({});
  await expect(home.nearby.fetch(url)).rejects.toThrow("does not answer");
  expect([home.lookups(), home.found]).toEqual([0, []]);
});

test("who gives up is told so at once", async () => {
  await using home = house({ [PUBLIC]: (init) => never(init.signal) });
  const caller = new AbortController();
  const answer = home.nearby.fetch(PUBLIC, { signal: caller.signal });
  const reason = new Error("enough");
  caller.abort(reason);
  await expect(answer).rejects.toBe(reason);
  expect(home.lookups()).toBe(0);
});
