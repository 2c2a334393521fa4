/** The lobby as hosts and players know it: a real server on this machine alone. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { after, before, test } from "node:test";
import { UDPSocket } from "sallyport";
import { HostRegistration, resolveInvite } from "sallyport/rendezvous";
import { openTurnRelay } from "sallyport/stun";
import { type Lobby, startLobby } from "../src/lobby.ts";
import { readSettings } from "../src/settings.ts";

let lobby: Lobby;
let url = "";

async function freePort(): Promise<number> {
  const probe = createServer().listen(0);
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return port;
}

before(async () => {
  const [port, stunPort] = [await freePort(), await freePort()];
  url = `http://127.0.0.1:${port}/`;
  lobby = await startLobby(
    readSettings({
      PORT: `${port}`,
      STUN_PORT: `${stunPort}`,
      PUBLIC_URL: url,
      TURN: "own",
      OWN_KEY: "0123456789abcdef",
    }),
  );
});

after(async () => await lobby.close());

test("a host gets an invite, is listed, and is found by it; it gets a relay", async () => {
  await using host = new HostRegistration({ lobby: url, name: "Friday night" });
  const told = once(host, "servers");
  const { code, url: link } = await host.open();
  assert.ok(link.startsWith(`${url}#${code}`));
  assert.equal((await resolveInvite(code, { lobby: url })).name, "Friday night");
  const games = (await (await fetch(`${url}games`)).json()) as { name: string }[];
  assert.deepEqual(
    games.map(({ name }) => name),
    ["Friday night"],
  );
  await told;
  await using socket = UDPSocket.open();
  await using relay = await openTurnRelay({ socket, servers: host.servers.turn });
  assert.equal(relay.relayed.address, "127.0.0.1");
});

test("the page is there; the figures are for whoever runs the lobby", async () => {
  assert.match(await (await fetch(url)).text(), /Games hosted right now/);
  assert.equal((await fetch(`${url}metrics`)).status, 403);
  const headers = { authorization: "Bearer 0123456789abcdef" };
  assert.match(await (await fetch(`${url}metrics`, { headers })).text(), /^turn_allocations \d+$/m);
});

test("a mistake in .env is named", () => {
  assert.throws(() => readSettings({ PUBLIC_URL: "lobby.example" }), /PUBLIC_URL must be a URL/);
  assert.throws(() => readSettings({ TURN: "yes" }), /TURN must be own/);
  assert.throws(() => readSettings({ TLS_CERT: "cert.pem" }), /TLS_CERT and TLS_KEY belong together/);
});
