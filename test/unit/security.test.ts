// The tables of limits in SECURITY.md are the code's: `npx vitest run --project unit test/unit/security.test.ts -u` writes them.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { LIMITS } from "../../sdk/src/colyseus/lobby/limits.ts";
import { ADMISSION_LIMITS } from "../../sdk/src/colyseus/server/admission/admission-limits.ts";
import { completeConnectionLimits } from "../../sdk/src/colyseus/server/admission/connection-limits.ts";
import { serverTraffic } from "../../sdk/src/colyseus/wire/traffic-limits.ts";
import { MAX_GUESSING_SOCKETS } from "../../sdk/src/ice/guessing-limits.ts";
import { type Budget, PER_DESTINATION, PER_INTRODUCTION, PER_PROCESS } from "../../sdk/src/net/unanswered-budget.ts";
import { AMPLIFICATION_LIMIT } from "../../sdk/src/net/unproven-address.ts";
import { MAX_ADDRESSES } from "../../sdk/src/session/way.ts";
import { turnServerSettings } from "../../sdk/src/turn/server/options.ts";
import { replaceTable } from "../security-tables.ts";
import { limitDocs } from "./limit-docs.ts";

const PAGE = new URL("../../SECURITY.md", import.meta.url);
/** As many as a desktop has. */
const DESCRIPTORS = 524_288;
/** See `UDPSessionServerOptions.maxClients`. */
const UDP_SESSIONS = 1024;

type Rows = (readonly [name: string, value: string, meaning: string])[];

const number = (value: number): string =>
  Number.isFinite(value) ? value.toLocaleString("en").replaceAll(",", " ") : "none";

function table(docs: Map<string, string>, values: Record<string, number>): Rows {
  return Object.entries(values).map(([name, value]) => [`\`${name}\``, number(value), docs.get(name) ?? ""]);
}

const budget = ({ burst, perSecond }: Budget): string => `${number(burst)} at once, ${number(perSecond)}/s`;

const SENDING: Rows = [
  ["bytes for one", String(AMPLIFICATION_LIMIT), "To an address that has not proved itself."],
  [
    "one destination",
    budget(PER_DESTINATION),
    "Packets to an IPv4 address or IPv6 /64 that has never answered, whoever named it.",
  ],
  ["one introduction", budget(PER_INTRODUCTION), "Packets that are not answered, over all paths of one guest."],
  ["the process", budget(PER_PROCESS), "The same for all guests."],
  ["addresses of a token", String(MAX_ADDRESSES), "That a player tries."],
  [
    "guessing",
    `one round, ${MAX_GUESSING_SOCKETS} sockets`,
    "Ports guessed at one time, only where the player has answered over a relay.",
  ],
];

const server = new Map([
  ...limitDocs("colyseus/server/admission/connection-limits.ts", "ConnectionLimits"),
  ...limitDocs("colyseus/server/admission/admission-limits.ts", "AdmissionLimits"),
  ...limitDocs("colyseus/wire/traffic-limits.ts", "TrafficLimits"),
  ...limitDocs("colyseus/server/admission/limits.ts", "TransportLimits"),
]);

test("the tables of limits are the code's", async () => {
  const { heldBytes, queuedBytes } = serverTraffic();
  const values = { ...completeConnectionLimits({}, DESCRIPTORS), ...ADMISSION_LIMITS, heldBytes, queuedBytes };
  const lobby = new Map([
    ...limitDocs("colyseus/lobby/limits.ts", "RendezvousLimits"),
    ...limitDocs("colyseus/lobby/guests.ts", "GuestLimits"),
  ]);
  const head = ["limit", "default", "what it bounds"];
  let page = readFileSync(PAGE, "utf8");
  page = replaceTable(page, "limits-server", head, () => table(server, { ...values, udpSessions: UDP_SESSIONS }));
  page = replaceTable(page, "limits-lobby", head, () => table(lobby, { ...LIMITS }));
  page = replaceTable(page, "limits-turn", head, () => table(turn, { ...turnServerSettings() }));
  page = replaceTable(page, "limits-sending", head, () => SENDING);
  await expect(page).toMatchFileSnapshot(PAGE.pathname);
});

const turn = limitDocs("turn/server/options.ts", "TurnServerLimits");

test("every limit of an option says what it bounds", () => {
  for (const [name, doc] of [...server, ...turn]) expect(doc, name).not.toBe("");
});
