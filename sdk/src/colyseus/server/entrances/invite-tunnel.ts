import type http from "node:http";
import type { AddressInfo } from "node:net";
import { Server as TLSServer } from "node:tls";
import { Agent, request } from "undici";
import { newIceCredentials } from "../../../ice/credentials.ts";
import { type IceMux } from "../../../ice/mux.ts";
import { type IcePeer } from "../../../ice/peer.ts";
import { type NatView } from "../../../ice/port-prediction.ts";
import { onLocalNetwork, sharesAttestedNetwork, sharesNetwork } from "../../../ice/remote-policy.ts";
import { formatEndpoint } from "../../../net/endpoint.ts";
import { messageOf } from "../../../net/message-of.ts";
import { traceOf } from "../../../net/trace.ts";
import { UnprovenAddress } from "../../../net/unproven-address.ts";
import { Guessing } from "../../../rendezvous/guessing.ts";
import type { Introduction } from "../../../rendezvous/sealed/introduction.ts";
import { sendInviteTunnelMessage, trickle } from "../../../rendezvous/trickle.ts";
import { type PathMessage, parseInviteTunnelMessage } from "../../../rendezvous/wire/invite-tunnel.ts";
import type { RequestMessage } from "../../../rendezvous/wire/invite-tunnel-http.ts";
import type { SessionServer } from "../../../session/types.ts";
import type { Relaying } from "../relaying/relaying.ts";
import { introducedHeaders } from "./introduced.ts";

const trace = traceOf("colyseus");

/** What one introduced player may ask for: so many paths, of which so many lead nowhere yet. */
const MAX_PATHS = 8;
const SEARCHING_AT_ONCE = 2;
const MAX_REQUESTS = 64;
const MAX_OFFERS = 4;
/** An answer has to fit into one sealed message. */
const MAX_ANSWER_BYTES = 12_288;
const REQUEST_TIMEOUT_MS = 10_000;
/**
 * What a player may ask of our own HTTP server: matchmaking, connect tokens, authentication. The request comes from loopback, so
 * nothing else may be reached by it: a host's own page trusts loopback, and `//name/` would be another server.
 */
const ANSWERED_PATHS = /^\/(?:matchmake|auth|sallyport)\/(?!.*(?:\.\.|%2e|\\))/i;
const FORWARDED_HEADERS = ["content-type", "authorization", "accept"];
const ANSWERED_HEADERS = ["content-type", "retry-after"];

export interface InviteTunnelHostOptions {
  server: http.Server;
  sessions: SessionServer;
  ice: IceMux;
  /** How our NAT behaves, once that is known. */
  nat: () => NatView | undefined;
  /** The lobby is on this machine or this network, and so are the players that it brings. */
  isLocal: boolean;
  /** The lobby, who sees both, has said that player and host have one public address. Default false. */
  attested?: boolean;
  /** Our addresses stay hidden: the way is not made direct by guessing ports. Default false. */
  relayOnly?: boolean;
  /** Takes a relay that the player brings along; undefined where none are used. */
  relaying?: Pick<Relaying, "offered"> | undefined;
}

/** Serves introduced players: answers their matchmaking, and opens ways for their sessions. */
export function serveInviteTunnel(
  introduction: Introduction,
  { server, sessions, ice, nat, isLocal, attested = false, relayOnly = false, relaying }: InviteTunnelHostOptions,
): void {
  const paths = new Map<number, { peer: IcePeer; guessing: Guessing | undefined }>();
  const budget = ice.budget.introduction(new UnprovenAddress());
  let opened = 0;
  let requests = 0;
  let offers = 0;
  introduction.onMessage((bytes) => {
    budget.heard(bytes.length);
    const message = parseInviteTunnelMessage(bytes);
    switch (message?.type) {
      case "path":
        if (opened >= MAX_PATHS || paths.has(message.id)) return;
        try {
          opened++;
          makeRoom();
          openPath(message);
        } catch (error) {
          if (trace.on) trace.event("path-refused", { id: message.id });
          // As many peers as ICE takes: this player has to wait, and nobody else shall suffer.
          introduction.close(messageOf(error));
        }
        return;
      case "candidates":
        for (const candidate of message.candidates) paths.get(message.id)?.peer.addRemoteCandidate(candidate);
        paths.get(message.id)?.guessing?.receive(message);
        return;
      case "nat":
      case "guess":
        paths.get(message.id)?.guessing?.receive(message);
        return;
      case "relay":
        // Within the introduction's own limits; an older host knows no such message.
        if (relaying && ++offers <= MAX_OFFERS) relaying.offered(introduction, message, bytes.length);
        return;
      case "request":
        if (++requests <= MAX_REQUESTS) void answer(introduction, server, message);
        return;
      case "response":
      case undefined:
        introduction.close("That is no message of a player.");
    }
  });

  /** A player that tries again has given up what leads nowhere yet; it need not say so. */
  function makeRoom(): void {
    const searching = [...paths.values()].filter(({ peer }) => peer.path === null);
    if (searching.length >= SEARCHING_AT_ONCE) searching[0]?.peer.close();
  }

  function openPath(message: PathMessage): void {
    const { id, ice: remote, candidates } = message;
    const allowRemote = isLocal ? onLocalNetwork : attested ? sharesAttestedNetwork : sharesNetwork;
    const peer = ice.open({ role: "controlled", local: newIceCredentials(), remote, allowRemote, budget });
    if (trace.on) trace.event("path-opened", { id, remoteCandidates: candidates.length, isLocal });
    for (const candidate of candidates) peer.addRemoteCandidate(candidate);
    const told = [...peer.localCandidates];
    sendInviteTunnelMessage(introduction, { type: "path", id, ice: peer.localCredentials, candidates: told });
    trickle(introduction, id, peer, told);
    const guessing = relayOnly ? undefined : new Guessing({ introduction, id, mux: ice, peer, leads: false, nat });
    guessing?.receive(message);
    paths.set(id, { peer, guessing });
    peer.onceClosed(() => paths.delete(id));
    sessions.addPath?.(peer);
  }
}

/** As if the player had reached the host's own TCP port. */
async function answer(introduction: Introduction, server: http.Server, message: RequestMessage): Promise<void> {
  const { id, method, path, body } = message;
  const begun = performance.now();
  const reply = (status: number, text: string, said: Record<string, string> = {}): void => {
    if (trace.on) {
      const ms = performance.now() - begun;
      trace.event("tunnel-request", { id, method, path: path.split("?", 1)[0], status, ms });
    }
    const headers = { "content-type": "application/json", ...said };
    const sent = { type: "response" as const, id, status, headers, body: text };
    if (!sendInviteTunnelMessage(introduction, sent)) introduction.close("The answer could not be sent.");
  };
  const headers = {
    ...Object.fromEntries(Object.entries(message.headers).filter(([name]) => FORWARDED_HEADERS.includes(name))),
    ...introducedHeaders(introduction.remoteKey),
  };
  if (!ANSWERED_PATHS.test(path)) {
    reply(404, JSON.stringify({ error: "That is not answered through an introduction." }));
    return;
  }
  try {
    const response = await request(new URL(path, originOf(server)), {
      ...(server instanceof TLSServer && { dispatcher: toOurselves() }),
      method,
      headers,
      ...(method === "GET" ? {} : { body }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const text = await response.body.text();
    if (Buffer.byteLength(text) > MAX_ANSWER_BYTES)
      reply(502, JSON.stringify({ error: "The answer is too long for an introduction." }));
    else reply(response.statusCode, text, answeredHeaders(response.headers));
  } catch (error) {
    reply(502, JSON.stringify({ error: `The host did not answer: ${messageOf(error)}` }));
  }
}

function answeredHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(ANSWERED_HEADERS.flatMap((name) => (headers[name] ? [[name, String(headers[name])]] : [])));
}

let ownServers: Agent | undefined;

/** Our own server's certificate is for the name that the world dials. Nobody stands between us and a port of this process. */
function toOurselves(): Agent {
  ownServers ??= new Agent({ connect: { rejectUnauthorized: false }, keepAliveTimeout: 1000 });
  return ownServers;
}

function originOf(server: http.Server): string {
  const scheme = server instanceof TLSServer ? "https" : "http";
  const { address, port } = server.address() as AddressInfo;
  if (address === "::" || address === "0.0.0.0") return `${scheme}://127.0.0.1:${port}`;
  return `${scheme}://${formatEndpoint({ address, port })}`;
}
