/** Hosts, players and lobbies of releases that do not understand each other: who is to be updated is said, in one sentence. */
import { ColyseusSDK } from "@colyseus/sdk";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { RendezvousRoom } from "../../sdk/src/colyseus/lobby/room.ts";
import { introduce } from "../../sdk/src/rendezvous/guest/introduce.ts";
import { resolveInvite } from "../../sdk/src/rendezvous/guest/resolve.ts";
import { HostRegistration } from "../../sdk/src/rendezvous/host/registration.ts";
import { RendezvousError } from "../../sdk/src/rendezvous/wire/errors.ts";
import { EvilRoom, silent, startLobby, type TestLobby } from "./rendezvous-lobby.ts";

let lobby: TestLobby;
const notices: string[] = [];
const { warn } = silent;

beforeAll(async () => {
  silent.warn = (...said: unknown[]) => void notices.push(said.join(" "));
  Object.assign(RendezvousRoom.limits, { burst: 10_000, gamesPerAddress: 100 });
  lobby = await startLobby();
});
afterAll(async () => {
  silent.warn = warn;
  await lobby[Symbol.asyncDispose]();
});
afterEach(() => {
  EvilRoom.instead = ({ message }) => message;
});

describe("a lobby", () => {
  const ask = async (protocol: unknown): Promise<unknown> =>
    await new ColyseusSDK(lobby.url)
      .join("rendezvous", { invite: "K7Q2-9FXM", protocol })
      .catch((error: unknown) => error);

  test("tells a game of another version, and its own log, once", async () => {
    const sentence = "This lobby speaks rendezvous protocol 1, this game 7: update the lobby.";
    for (let n = 0; n < 3; n++) expect(await ask(7)).toMatchObject({ code: 400, message: sentence });
    expect(notices.filter((notice) => notice.includes("protocol 1, this game 7"))).toEqual([`Rendezvous: ${sentence}`]);
    // However many versions are made up.
    for (let version = 100; version < 120; version++) await ask(version);
    expect(notices.filter((notice) => notice.includes("rendezvous protocol")).length).toBeLessThanOrEqual(8);
  });

  test.each([undefined, 1])("takes one that names %s", async (protocol) => {
    expect(await ask(protocol)).toMatchObject({ code: 521 });
  });

  test.each([0, "1", null, {}, 1.5])("and none that names %j", async (protocol) => {
    expect(await ask(protocol)).toMatchObject({ code: 400, message: expect.stringMatching(/version number/) });
  });
});

describe("of a lobby of a later version", () => {
  const sentence = "This lobby speaks rendezvous protocol 2, this game 1: update the game.";

  test("a host and players say what to update", async () => {
    await using host = new HostRegistration({ lobby: lobby.url, roomName: "evil", name: "Arena" });
    host.on("introduction", () => undefined);
    const { code } = await host.open();
    EvilRoom.instead = ({ type, message }) => (type === "host" ? { ...message, protocol: 2 } : message);
    const options = { lobby: lobby.url, roomName: "evil" };
    for (const ask of [introduce, resolveInvite]) {
      const error = await (ask(code, options) as Promise<unknown>).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(RendezvousError);
      expect(error).toMatchObject({ code: "refused", message: sentence });
    }

    EvilRoom.instead = ({ type, message }) => (type === "registered" ? { ...message, protocol: 2 } : message);
    await using other = new HostRegistration({ lobby: lobby.url, roomName: "evil", name: "Arena" });
    await expect(other.open()).rejects.toMatchObject({ code: "refused", message: sentence });
  });
});
