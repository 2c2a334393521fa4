/** The host's way to its players. */
import type { Server as HttpServer } from "node:http";
import type { Transport } from "@colyseus/core";
import { optionsFromEnvironment, type Reachability } from "sallyport";
import { type LanListing, SallyportTransport } from "sallyport/colyseus";
import { type HostRegistration, type Invite, invitesFromEnvironment } from "sallyport/rendezvous";
import { APPLICATION } from "./application.ts";

export interface GameTransport {
  transport: Transport;
  http: HttpServer;
  /** Answers as soon as something usable is known; better things come later. Call it when the server listens. */
  reachability(): Promise<Reachability>;
  onChange(listener: (reachability: Reachability) => void): void;
  /** The entry in the lobby; undefined without one, and before the server listens. */
  registration(): HostRegistration | undefined;
  /** Takes the invite back and gets another. @throws RendezvousError */
  newInvite(): Promise<Invite>;
  /** How the game is known on the local network; undefined where that is switched off. */
  lan: LanListing | undefined;
  /** Resolves when sockets are closed and ports unmapped. */
  close(): Promise<void>;
}

export interface GameTransportOptions {
  /** UDP and TCP. */
  port: number;
  /** What the router shows beside the mapping. */
  description: string;
  lobby?: string | undefined;
  maxPlayers: number;
}

export function createTransport({ port, description, lobby, maxPlayers }: GameTransportOptions): GameTransport {
  const transport = new SallyportTransport({
    port,
    description,
    ...invitesFromEnvironment(),
    lobby,
    connectivity: optionsFromEnvironment(),
    webrtc: "auto",
    // Where nothing direct leads through, a player whose computer is open or mapped may relay for the others, if it wants to.
    relayForOthers: { kbps: 4000, gb: 10 },
    lan: { application: APPLICATION },
    listing: { description: "Walk about, collect coins.", maxPlayers },
  });
  const { connectivity } = transport;
  if (connectivity === undefined) throw new Error("The transport has no connectivity."); // it was not switched off
  return {
    transport,
    http: transport.server as HttpServer,
    reachability: () => connectivity.open(),
    onChange: (listener) => void connectivity.on("change", listener),
    registration: () => transport.registration,
    newInvite: () => transport.newInvite(),
    lan: transport.lan,
    close: () => transport[Symbol.asyncDispose](),
  };
}
