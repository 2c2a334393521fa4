/** The example as people use it: as programs in terminals, with a page and with Ctrl-C. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { until } from "../until.ts";
import { freePort, isFree, type JsonEvent, RunningProgram } from "./lobby-programs.ts";

const INVITE: RegExp = /[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}/;

interface Ports {
  PORT: number;
  GAME_PORT: number;
}

async function ports(): Promise<Ports> {
  return { PORT: await freePort(), GAME_PORT: await freePort() };
}

const environment = ({ PORT, GAME_PORT }: Ports): Record<string, string> => ({
  PORT: String(PORT),
  GAME_PORT: String(GAME_PORT),
});

/** `npm run join -- … --json`, to its end. */
async function join(...argv: string[]): Promise<{ report: JsonEvent; code: number | string }> {
  await using program = new RunningProgram("join.ts", [...argv, "--json"]);
  const code = await program.exited;
  return { report: JSON.parse(program.stdout) as JsonEvent, code };
}

describe("npm start", () => {
  test("page, invite, a second terminal, Ctrl-C", async () => {
    const own = await ports();
    await using start = new RunningProgram("start.ts", [], environment(own));
    const invite = INVITE.exec(await start.line(/Invite /))?.[0] ?? "";
    const lobby = `http://127.0.0.1:${own.PORT}`;

    const page = await (await fetch(lobby)).text();
    expect(page.match(/data-game="[^"]+"/g)).toHaveLength(1);
    expect(page).toContain("Arena on");
    expect(page).not.toContain(invite);
    const games = (await (await fetch(`${lobby}/games`)).json()) as JsonEvent[];
    expect(games).toEqual([expect.objectContaining({ players: 0, maxPlayers: 32 })]);
    // All that the page loads, now or by an invite, with all that these load.
    const loaded = new Set(["page.js", "arena.js", "page.css", "sallyport.js"]);
    for (const path of loaded) {
      const response = await fetch(`${lobby}/${path}`);
      expect(response.status, path).toBe(200);
      for (const [, name = ""] of (await response.text()).matchAll(/"\.\/([\w-]+\.js)"/g)) loaded.add(name);
    }
    expect([...loaded].some((name) => name.startsWith("lobby-"))).toBe(true);

    const { report, code } = await join(invite, "--lobby", lobby, "--seconds", "1");
    expect(code).toBe(0);
    expect(report).toMatchObject({ connected: true, path: "direct", lost: 0, reason: null });
    expect(report["sent"]).toBeGreaterThan(0);
    expect(report["received"]).toBe(report["sent"]);
    expect((report["unreliable"] as JsonEvent)["received"]).toBeGreaterThan(0);
    expect(report["remote"]).toContain(`:${own.GAME_PORT}`);
    await start.line(/→ in +Bot/);
    await start.line(/← out Bot/);

    start.signal("SIGINT");
    expect(await start.exited).toBe(0);
    expect(await Promise.all([isFree(own.PORT), isFree(own.GAME_PORT)])).toEqual([true, true]);
    expect(start.stderr).toBe("");
  });

  test("a port that is taken: which one, what to do, and nothing is left running", async () => {
    const own = await ports();
    const taken = createServer().listen(own.PORT);
    await once(taken, "listening");
    await using first = new RunningProgram("start.ts", [], environment(own));
    expect(await first.exited).toBe(69);
    expect(first.stderr).toMatch(new RegExp(`Port ${own.PORT} is in use by another program\\. .*--port`));
    taken.close();

    const game = createServer().listen(own.GAME_PORT);
    await once(game, "listening");
    await using second = new RunningProgram("start.ts", [], environment(own));
    expect(await second.exited).toBe(69);
    expect(second.stderr).toMatch(new RegExp(`Port ${own.GAME_PORT} is in use by another program\\. .*--port`));
    expect(await isFree(own.PORT)).toBe(true);
    game.close();
  });

  test("its children end when it is killed outright", async () => {
    const own = await ports();
    const start = new RunningProgram("start.ts", [], environment(own));
    await start.line(/Invite /);
    start.signal("SIGKILL");
    await start.exited; // its pipes are shared with nobody, the children see their channel close
    await until(async () => (await isFree(own.PORT)) && (await isFree(own.GAME_PORT)));
  });
});

describe("npm run host", () => {
  test("without a lobby it is joined by its URL; JSON lines tell who comes and goes; SIGTERM ends it", async () => {
    const port = await freePort();
    await using host = new RunningProgram("host.ts", ["--port", String(port), "--json"]);
    const reachability = await host.event("reachability");
    expect(reachability).toMatchObject({
      verdict: expect.any(String),
      summary: expect.any(String),
      ms: expect.any(Number),
    });
    const { report, code } = await join(`http://127.0.0.1:${port}`, "--seconds", "0.5", "--name", "Ada");
    expect([code, report["connected"], report["received"]]).toEqual([0, true, report["sent"]]);
    expect(await host.event("joined")).toMatchObject({ player: "Ada", players: 1 });
    expect(await host.event("left")).toMatchObject({ player: "Ada", players: 0 });
    host.signal("SIGTERM");
    expect(await host.exited).toBe(0);
    expect(host.stdout.split("\n").every((line) => line.startsWith('{"event":'))).toBe(true);
    expect(await isFree(port)).toBe(true);
  });

  test("can be interrupted at any moment, and twice", async () => {
    const lobby = `http://127.0.0.1:${await freePort()}`; // where nobody is
    for (const moment of [/"listening"/, /"reachability"/, /"lost"/]) {
      const port = await freePort();
      await using host = new RunningProgram("host.ts", ["--json", "--lobby", lobby, "--port", String(port)]);
      await host.line(moment);
      host.signal("SIGINT");
      expect(await host.exited).toBe(0);
      expect(await isFree(port)).toBe(true);
    }
    await using host = new RunningProgram("host.ts", ["--json", "--port", String(await freePort())]);
    await host.line(/"listening"/);
    host.signal("SIGINT");
    host.signal("SIGINT");
    expect(await host.exited).toBe(0);
  });

  test("keeps its invite when the lobby is killed and comes back", async () => {
    const own = await ports();
    const lobbyUrl = `http://127.0.0.1:${own.PORT}`;
    const first = new RunningProgram("lobby.ts", [], environment(own));
    await first.line(/Lobby at/);
    await using host = new RunningProgram("host.ts", ["--json", "--lobby", lobbyUrl], environment(own));
    const invite = await host.event("invite");
    first.signal("SIGKILL");
    await host.event("lobby", ({ state }) => state === "lost");
    await using second = new RunningProgram("lobby.ts", [], environment(own));
    await second.line(/Lobby at/);
    let invites = 0;
    const again = await host.event("invite", () => ++invites === 2);
    expect(again["code"]).toBe(invite["code"]);
    const { report } = await join(String(again["url"]).replace("localhost", "127.0.0.1"), "--seconds", "0.2");
    expect(report["connected"]).toBe(true);
  });

  test("UDP taken by another program while TCP is free", async () => {
    const port = await freePort();
    const taken = createSocket("udp6").bind(port);
    await once(taken, "listening");
    await using host = new RunningProgram("host.ts", ["--json", "--port", String(port)]);
    expect(await host.exited).toBe(69);
    expect(host.stderr).toContain(`Port ${port} is in use`);
    taken.close();
  });
});

describe("npm run join", () => {
  test("says why it is not connected, and what to do", async () => {
    const own = await ports();
    await using lobby = new RunningProgram("lobby.ts", [], environment(own));
    await lobby.line(/Lobby at/);
    const url = `http://127.0.0.1:${own.PORT}`;
    const nobody = await join("2222-2222", "--lobby", url);
    expect(nobody).toMatchObject({ code: 1, report: { connected: false, path: null, reason: /mistyped/ } });
    const typo = await join("2222-22", "--lobby", url);
    expect(typo).toMatchObject({ code: 1, report: { connected: false, reason: /no invite/ } });
    const away = await join(`http://127.0.0.1:${own.GAME_PORT}`);
    expect(away).toMatchObject({ code: 1, report: { connected: false, reason: /does not answer.*ECONNREFUSED/ } });
    const noLobby = await join("2222-2222", "--lobby", `http://127.0.0.1:${own.GAME_PORT}`);
    expect(noLobby).toMatchObject({ code: 1, report: { connected: false, reason: /lobby .* cannot be reached/ } });
    const noHost = await join(url, "--seconds", "1");
    expect(noHost).toMatchObject({ code: 1, report: { connected: false } });
  });

  test("ends with its report when it is interrupted, and when the host goes", async () => {
    const port = await freePort();
    await using host = new RunningProgram("host.ts", ["--json", "--port", String(port)]);
    await host.event("reachability");
    const url = `http://127.0.0.1:${port}`;
    await using first = new RunningProgram("join.ts", [url, "--seconds", "600"]);
    await first.line(/^Connected by direct/);
    first.signal("SIGINT");
    expect(await first.exited).toBe(0);
    expect(first.stdout).toMatch(/^Reliable +(\d+) of \1 answered$/m);

    await using second = new RunningProgram("join.ts", [url, "--seconds", "600"]);
    await second.line(/^Connected by direct/);
    host.signal("SIGTERM");
    expect(await second.exited).toBe(0);
    expect(second.stdout).toMatch(/The host ended the connection \(4001/);
  });
});

describe("wrong usage ends with 64 and a hint", () => {
  test.each<[string, string[], Record<string, string>, RegExp]>([
    ["host.ts", ["--prot", "7777"], {}, /--prot is no option\. Did you mean --port\?/],
    ["host.ts", ["--port", "0"], {}, /--port must be a port from 1 to 65535, not "0"/],
    ["host.ts", ["--port", "65536"], {}, /from 1 to 65535/],
    ["host.ts", ["--port=1e3"], {}, /from 1 to 65535/],
    ["host.ts", ["--port"], {}, /--port needs a value: --port N/],
    ["host.ts", [], { GAME_PORT: "http" }, /GAME_PORT must be a port/],
    ["host.ts", ["--lobby", "lobby.example"], {}, /--lobby must be a URL such as/],
    ["host.ts", ["--json=yes"], {}, /--json takes no value/],
    ["host.ts", ["now"], {}, /"now" is one argument too many/],
    ["lobby.ts", ["--port", "70000"], {}, /from 1 to 65535/],
    ["lobby.ts", [], { PORT: "99999" }, /PORT must be a port/],
    ["lobby.ts", [], { PUBLIC_URL: "ftp://x" }, /PUBLIC_URL must be a URL/],
    ["join.ts", [], {}, /What to join\?/],
    ["join.ts", ["-"], {}, /What to join\?/], // nothing stands on its standard input
    ["join.ts", ["2222-2222", "--secnods", "1"], {}, /Did you mean --seconds\?/],
    ["join.ts", ["2222-2222", "--seconds", "-1"], {}, /--seconds must be|--seconds needs/],
    ["join.ts", ["2222-2222", "--seconds", "soon"], {}, /--seconds must be a number above 0/],
    ["start.ts", [], { GAME_PORT: "-1" }, /GAME_PORT must be a port/],
    ["start.ts", ["--prt", "1"], {}, /--prt is no option. Did you mean --port\?/],
    ["start.ts", ["--game-port", "0"], {}, /--game-port must be a port/],
  ])("%s %j %j", async (program, argv, env, hint) => {
    await using running = new RunningProgram(program, argv, env);
    expect(await running.exited).toBe(64);
    expect(running.stderr).toMatch(hint);
    expect(running.stdout).toBe("");
  });

  test("--help is an answer, not an error", async () => {
    await using running = new RunningProgram("join.ts", ["--help"]);
    expect(await running.exited).toBe(0);
    expect(running.stdout).toMatch(/Usage: npm run join -- INVITE-OR-URL \[options\][^]*Examples:/);
    expect(running.stderr).toBe("");
  });
});

test("npm run lobby: an address that is not this machine's", async () => {
  await using lobby = new RunningProgram("lobby.ts", [], { PORT: String(await freePort()), HOST: "203.0.113.1" });
  expect(await lobby.exited).toBe(69);
  expect(lobby.stderr).toMatch(/This machine has no address 203\.0\.113\.1: HOST names one/);
});

describe("the lobby's front", () => {
  /** The status line for a request as it is on the wire. */
  async function ask(port: number, request: string): Promise<string> {
    const socket = connect(port, "127.0.0.1");
    socket.write(request);
    const [answer] = (await once(socket, "data")) as [Buffer];
    socket.destroy();
    return answer.toString("latin1").split("\r\n", 1)[0] ?? "";
  }

  test("is not hurt by malformed requests, and a stranger's headers do not lift the limit", async () => {
    const own = await ports();
    await using lobby = new RunningProgram("lobby.ts", [], environment(own));
    await lobby.line(/Lobby at/);
    const post = "POST /matchmake/join/rendezvous HTTP/1.1\r\n";
    expect(await ask(own.PORT, `${post}Host: a b\r\nContent-Length: 0\r\n\r\n`)).toContain("400");
    expect(await ask(own.PORT, `${post}Host: [\r\nContent-Length: 0\r\n\r\n`)).toContain("400");
    expect(await ask(own.PORT, `${post}Host: x\r\nContent-Length: 99999999\r\n\r\n`)).toContain("413");
    expect(await ask(own.PORT, `${post}Host: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`)).toContain("411");
    const upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n";
    expect(await ask(own.PORT, `GET /a/b?sessionId=1 HTTP/1.1\r\nHost: [\r\n${upgrade}`)).toContain("400");

    let statuses = new Set<number>();
    for (let i = 0; i < 40; i++) {
      const response = await fetch(`http://127.0.0.1:${own.PORT}/matchmake/join/rendezvous`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "x-forwarded-for": `203.0.113.${i}`,
          "x-real-ip": `198.51.100.${i}`,
        },
        body: JSON.stringify({ invite: "2222-2222" }),
      });
      await response.body?.cancel();
      statuses = statuses.add(response.status);
    }
    expect([...statuses]).toEqual([521, 429]);
    expect((await fetch(`http://127.0.0.1:${own.PORT}/games`)).status).toBe(200);
  });

  test("answers STUN, and says where; a taken STUN port makes a warning, not an end", async () => {
    const own = await ports();
    const STUN_PORT = String(await freePort());
    await using lobby = new RunningProgram("lobby.ts", [], { ...environment(own), STUN_PORT });
    await lobby.line(/Lobby at/);
    const settings = (await (await fetch(`http://127.0.0.1:${own.PORT}/connectivity`)).json()) as JsonEvent;
    expect(settings).toMatchObject({ stun: [`stun:localhost:${STUN_PORT}`] });
    const socket = createSocket("udp4").bind(0, "127.0.0.1");
    await once(socket, "listening");
    const request = Buffer.from(`000100002112a442${"5a".repeat(12)}`, "hex");
    socket.send(request, Number(STUN_PORT), "127.0.0.1");
    const [answer] = (await once(socket, "message")) as [Buffer];
    expect(answer.readUInt16BE(0)).toBe(0x0101);
    expect(answer.subarray(8, 20)).toEqual(request.subarray(8, 20));
    socket.close();

    const other = await ports();
    await using second = new RunningProgram("lobby.ts", [], { ...environment(other), STUN_PORT });
    await second.line(/No STUN here: UDP port/);
    await second.line(/Lobby at/);
    expect(await (await fetch(`http://127.0.0.1:${other.PORT}/connectivity`)).json()).toMatchObject({ stun: [] });
  });

  test("a name that is HTML stays text on the page", async () => {
    const own = await ports();
    await using lobby = new RunningProgram("lobby.ts", [], environment(own));
    await lobby.line(/Lobby at/);
    const url = `http://127.0.0.1:${own.PORT}`;
    const name = "<img src=x onerror=alert(1)>$&\"'";
    await using host = new RunningProgram("host.ts", ["--json", "--lobby", url, "--name", name], environment(own));
    await host.event("invite");
    const page = await (await fetch(url)).text();
    expect(page).toContain("<h3>&lt;img src=x onerror=alert(1)&gt;$&amp;&quot;&#39;</h3>");
    expect(page).not.toContain("<img");
  });
});
