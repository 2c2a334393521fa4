/** What a trace tells of a host, a player and the lobby between them, and what it keeps to itself. */
import { expect, onTestFinished, test, vi } from "vitest";
import { introduce } from "../../sdk/src/rendezvous/guest/introduce.ts";
import { HostRegistration } from "../../sdk/src/rendezvous/host/registration.ts";
import { traced } from "../unit/traced.ts";
import { until } from "../until.ts";
import { startLobby } from "./rendezvous-lobby.ts";

test("a trace tells of the introduction and of none of its secrets", async () => {
  vi.spyOn(console, "warn").mockReturnValue();
  vi.spyOn(console, "info").mockReturnValue();
  const lines = traced("rendezvous");
  const lobby = await startLobby({
    stun: ["stun:stun.example:3478"],
    turn: { urls: ["turn:turn.example:3478"], secret: "north", ttlSeconds: 3600 },
  });
  onTestFinished(() => lobby[Symbol.asyncDispose]());
  const sealedEndpoints = ["http://198.51.100.7:7777"];
  const registration = new HostRegistration({ lobby: lobby.url, name: "Arena", sealedEndpoints, linkOnly: true });
  onTestFinished(() => registration.close());
  registration.on("introduction", () => undefined);
  const invite = await registration.open();
  await until(() => registration.servers.turn.length > 0);

  await expect(introduce(invite.code, { lobby: lobby.url })).rejects.toThrow("whole link");
  const introduction = await introduce(invite.url);
  introduction.close("joined");
  await until(() => lines.includes("introduction-ended id=2 by=there reason=joined"));
  await expect(introduce(invite.url.slice(0, -1))).rejects.toThrow("link is missing");
  await registration.close();
  await expect(introduce(invite.url)).rejects.toThrow("No host");

  for (const line of [
    `lobby-asked lobby=${lobby.url} as=host`,
    "lobby-entered as=host",
    `registered lobby=${lobby.url} linkOnly=true`,
    "servers stun=1 turn=1",
    "introduction-refused id=1 reason=link-required count=1",
    'introduction-failed code=refused reason="This host takes only players who have the whole link. Ask for it."',
    "hello withLink=true",
    "introduction-begun id=2 withLink=true",
    "introduction-confirmed id=2",
    "introduced authenticated=true endpoints=[http://198.51.100.7:7777] stun=1 turn=1",
    "introduction-ended by=here reason=joined",
    'lobby-refused as=guest code=unknown-invite reason="No host has this invite. Was it mistyped, or has the host gone?"',
  ]) {
    expect(lines).toContain(line);
  }
  const all = lines.join("\n");
  const { username = "", credential = "" } = introduction.servers.turn[0] ?? {};
  const seal = invite.url.split(".").at(-1) ?? "";
  for (const secret of [invite.code, seal, registration.secret, username, credential]) {
    expect(secret).not.toBe("");
    expect(all).not.toContain(secret);
  }
});
