import { expect, test } from "vitest";
import { warningsOf } from "../../../sdk/src/cli/warned-ports.ts";
import { parsePorts } from "../../../sdk/src/tunnel/wire/ports.ts";

test("ports that give more than a game are warned of, by the protocol that does", () => {
  expect(warningsOf(parsePorts([7777, "27015/udp", "25565/tcp"]))).toEqual([]);
  expect(warningsOf(parsePorts([27015]))).toEqual([
    expect.stringContaining("Port 27015/tcp is the RCON of Source games"),
  ]);
  expect(warningsOf(parsePorts(["22/tcp", "6379/tcp"]))).toHaveLength(2);
});
