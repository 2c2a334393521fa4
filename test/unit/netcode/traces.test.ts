import { beforeAll, expect, test } from "vitest";
import { NetcodeClient } from "../../../sdk/src/netcode/client.ts";
import { NetcodeServer } from "../../../sdk/src/netcode/server.ts";
import { netcodeReady } from "../../../sdk/src/netcode/sodium.ts";
import { fromHex, parseEndpoint, toHex, vectorsOf } from "./vectors.ts";

beforeAll(netcodeReady);

const TYPES = ["request", "denied", "challenge", "response", "keep_alive", "payload", "disconnect"];

interface Datagram {
  to: string;
  type: string;
  sequence?: string;
  packet: string;
}

interface Step {
  time: number;
  unix_time: string;
  deliver: { from: string; packet: string }[];
  actions: (string | Record<string, unknown>)[];
  sent: Datagram[];
  state: number;
  client_index?: number;
  max_clients?: number;
  received: Record<string, unknown>[];
  events: { client_index: number; event: string }[];
  clients: { client_index: number; client_id: string; address: string }[];
}

function describeDatagram(data: Uint8Array, address: string, port: number, requestPacket: string): Datagram {
  const type = TYPES[(data[0] ?? 0) & 15] ?? "";
  const to = `${address}:${port}`;
  if (type === "request") return { to, type, packet: toHex(data) === requestPacket ? "request_packet" : toHex(data) };
  let sequence = 0n;
  for (let index = (data[0] ?? 0) >> 4; index > 0; index--) sequence = (sequence << 8n) | BigInt(data[index] ?? 0);
  return { to, type, sequence: sequence.toString(), packet: toHex(data) };
}

/** Payloads as the API gives them, without the sequence that the vectors also tell. */
const withoutSequence = (received: Record<string, unknown>[]): Record<string, unknown>[] =>
  received.map((entry) => Object.fromEntries(Object.entries(entry).filter(([field]) => field !== "sequence")));

test.for(vectorsOf<{ connect_token: string; request_packet: string; steps: Step[] }>("client_trace"))(
  "$name",
  (vector) => {
    let sent: Datagram[] = [];
    let received: Record<string, unknown>[] = [];
    const client = new NetcodeClient(
      {
        send: (data, address, port) => sent.push(describeDatagram(data, address, port, vector.request_packet)),
        stateChanged: () => {},
        payload: (data) => received.push({ payload: toHex(data) }),
      },
      { paced: true },
    );
    for (const step of vector.steps) {
      sent = [];
      received = [];
      const now = step.time * 1000;
      for (const { from, packet } of step.deliver) {
        const { address, port } = parseEndpoint(from);
        client.receive(fromHex(packet), address, port, now);
      }
      client.update(now);
      for (const action of step.actions) {
        if (action === "connect") client.connect(fromHex(vector.connect_token), now);
        else if (action === "disconnect") client.disconnect(now);
        else if (typeof action === "object") client.send(fromHex(String(action["send"])), now);
        else throw new Error(`unknown action ${action}`);
      }
      const at = `at ${step.time} s`;
      expect(sent, at).toEqual(step.sent);
      expect(client.state, at).toBe(step.state);
      expect(received, at).toEqual(withoutSequence(step.received));
      if (step.client_index !== undefined) expect(client.clientIndex, at).toBe(step.client_index);
      if (step.max_clients !== undefined) expect(client.maxClients, at).toBe(step.max_clients);
    }
  },
);

interface ServerTrace {
  address: string;
  protocol_id: string;
  max_clients: number;
  start_unix_time: string;
  private_key: string;
  challenge_key: string;
  steps: Step[];
}

test.for(vectorsOf<ServerTrace>("server_trace"))("$name", (vector) => {
  let sent: Datagram[] = [];
  let received: Record<string, unknown>[] = [];
  let events: Step["events"] = [];
  const server = new NetcodeServer(
    {
      protocolId: BigInt(vector.protocol_id),
      privateKey: fromHex(vector.private_key),
      address: parseEndpoint(vector.address),
      maxClients: vector.max_clients,
      random: (bytes) => bytes.set(fromHex(vector.challenge_key)),
    },
    {
      send: (data, address, port) => sent.push(describeDatagram(data, address, port, "")),
      clientConnected: (client) => events.push({ client_index: client.index, event: "connected" }),
      clientDisconnected: (client) => events.push({ client_index: client.index, event: "disconnected" }),
      payload: (client, data) => received.push({ client_index: client.index, payload: toHex(data) }),
    },
  );
  server.start(0, Number(vector.start_unix_time));
  for (const step of vector.steps) {
    sent = [];
    received = [];
    events = [];
    const now = step.time * 1000;
    for (const { from, packet } of step.deliver) {
      const { address, port } = parseEndpoint(from);
      server.receive(fromHex(packet), address, port, now, Number(step.unix_time));
    }
    server.update(now);
    for (const action of step.actions) {
      if (typeof action !== "object") throw new Error(`unknown action ${action}`);
      server.send(Number(action["send_to"]), fromHex(String(action["payload"])), now);
    }
    const at = `at ${step.time} s`;
    expect(sent, at).toEqual(step.sent);
    expect(events, at).toEqual(step.events);
    expect(received, at).toEqual(withoutSequence(step.received));
    const clients = server.clients.map((client) => ({
      client_index: client.index,
      client_id: client.clientId.toString(),
      address: `${client.address}:${client.port}`,
    }));
    expect(clients, at).toEqual(step.clients);
  }
  server.stop(1e6);
});
