/** The server: its rooms, its page, and the way in. */
import { fileURLToPath } from "node:url";
import { defineRoom, defineServer, matchMaker } from "@colyseus/core";
import { RedisDriver } from "@colyseus/redis-driver";
import { RedisPresence } from "@colyseus/redis-presence";
import express from "express";
import { optionsFromEnvironment } from "sallyport";
import { formatPrometheus, OwnPages, SallyportTransport } from "sallyport/colyseus";
import { invitesFromEnvironment } from "sallyport/rendezvous";
import { ArenaRoom } from "./rooms/ArenaRoom.ts";

/** Rooms over UDP, over WebRTC for browsers, and over WebSocket where neither gets through, on ports that it opens on the router. */
export const transport = new SallyportTransport({
  description: process.env.GAME_NAME || "My game",
  // LOBBY_URL, PAGE_URL, SALLYPORT_RELAYS: how friends find you.
  ...invitesFromEnvironment(),
  // The invite stays the same over restarts. Each process of a fleet has its own.
  listing: { secretFile: fileURLToPath(new URL(`../.invite-${process.env.PORT || 2567}`, import.meta.url)) },
  // SALLYPORT_VIA, SALLYPORT_GATEWAY, SALLYPORT_STUN_URLS and others: see .env.example.
  connectivity: optionsFromEnvironment(),
  // Players on the same network find it by this word. `lan: false` tells them nothing.
  lan: { application: "my-game" },
  // Browsers get datagrams too, by WebRTC, once `npm install node-datachannel` is done; without it they use WebSocket.
  webrtc: "auto",
});

// Friends meet in one room. Players may start it and come into it, but open no other one beside it: `create` is left out.
matchMaker.controller.exposedMethods = ["joinOrCreate", "join", "joinById", "reconnect"];

/** Pages for whoever runs this server, by the link that it prints. Colyseus' monitor belongs here too. */
export const own = new OwnPages({ key: process.env.OWN_KEY || undefined });

const redis = process.env.REDIS_URL;

export const server = defineServer({
  greet: false,
  transport,
  ...(redis ? { driver: new RedisDriver(redis), presence: new RedisPresence(redis) } : {}),
  rooms: {
    arena: defineRoom(ArenaRoom),
  },
  express: (app) => {
    app.use(express.static(fileURLToPath(new URL("../public", import.meta.url))));
    // Who plays, over which paths, and how the way in is: for Prometheus, and for you.
    app.get("/metrics", own.middleware, (_request, response) => {
      response.type("text/plain").send(formatPrometheus(transport.metrics()));
    });
    // The client for the page, with Colyseus' prediction.
    app.use(
      "/sallyport",
      express.static(fileURLToPath(new URL("../standalone", import.meta.resolve("sallyport/browser")))),
    );
  },
});

export default server;
