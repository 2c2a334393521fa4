/** A clock that is wrong looks like a server that is not to be trusted: real TLS, with certificates of the future and of the past. */
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { SallyportClient } from "../../sdk/src/colyseus/client/client.ts";
import { firstReachable } from "../../sdk/src/colyseus/client/reach.ts";
import { introduce } from "../../sdk/src/rendezvous/guest/introduce.ts";
import { openTurnRelay } from "../../sdk/src/turn/open.ts";
import { makeCertificate } from "../certificate.ts";

const DATES = [
  [
    "20900101000000Z",
    "20910101000000Z",
    /its certificate is not valid yet by this computer's clock, which says 20.*Z: if/,
  ],
  ["20000101000000Z", "20010101000000Z", /its certificate has expired by this computer's clock, which says 20.*Z: if/],
] as const;

const trusted = getCACertificates("default");
let server: Server | undefined;

afterEach(() => {
  setDefaultCACertificates(trusted);
  server?.close().closeAllConnections();
});

/** @returns `localhost:port` of a server with a certificate of these dates, which is trusted otherwise */
async function serve(from: string, until: string): Promise<string> {
  const certificate = makeCertificate({ names: "DNS:localhost", from, until });
  setDefaultCACertificates([...trusted, certificate.cert]);
  server = createServer(certificate, (_request, response) => response.end("{}"));
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  return `localhost:${(server.address() as AddressInfo).port}`;
}

const sentenceOf = (failing: Promise<unknown>): Promise<string> =>
  failing.then(
    () => "it succeeded",
    ({ message }: Error) => message,
  );

describe.each(DATES)("a certificate from %s to %s", (from, until, sentence) => {
  test.each([
    ["a player who dials its host", (at) => new SallyportClient(`https://${at}`).joinOrCreate("arena")],
    ["one who looks for an endpoint that answers", (at) => firstReachable([`https://${at}`])],
    ["one who has an invite of its lobby", (at) => introduce("K7Q2-9FXM", { lobby: `https://${at}` })],
    [
      "whoever needs its relay",
      (at) => openTurnRelay({ servers: [{ urls: `turns:${at}`, username: "a", credential: "b" }] }),
    ],
  ] satisfies [string, (at: string) => Promise<unknown>][])("is explained to %s", async (_, attempt) => {
    expect(await sentenceOf(attempt(await serve(from, until)))).toMatch(sentence);
  });
});
