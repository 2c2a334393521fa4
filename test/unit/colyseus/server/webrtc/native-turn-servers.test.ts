import { expect, test } from "vitest";
import { nativeTurnServers } from "../../../../../sdk/src/colyseus/server/webrtc/native-turn-servers.ts";

test("TURN servers over UDP are given to libdatachannel, two at most", () => {
  const access = { username: "1800000000:K7Q2-9FXM", credential: "c/d+e=" };
  const urls = [
    "turn:relay.example:3478?transport=udp",
    "turn:relay.example:3478?transport=tcp",
    "turns:relay.example",
  ];
  expect(nativeTurnServers([{ urls, ...access }, { urls: "turn:other.example" }])).toEqual([
    {
      hostname: "relay.example",
      port: 3478,
      username: access.username,
      password: access.credential,
      relayType: "TurnUdp",
    },
  ]);
  expect(nativeTurnServers(Array.from({ length: 5 }, () => ({ urls: urls[0] ?? "", ...access })))).toHaveLength(2);
});
