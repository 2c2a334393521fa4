import { expect } from "vitest";

import { IceAgent } from "../../../sdk/src/ice/agent.ts";
import { type IceCandidate, localCandidate } from "../../../sdk/src/ice/candidate.ts";
import { newIceCredentials } from "../../../sdk/src/ice/credentials.ts";
import { type IceAgentOptions, type IcePath, type IceSource, type IceState } from "../../../sdk/src/ice/types.ts";
import { SOCKET } from "../../../sdk/src/ice/via.ts";
import type { Endpoint } from "../../../sdk/src/net/endpoint.ts";
import { UnansweredBudget } from "../../../sdk/src/net/unanswered-budget.ts";
import { UnprovenAddress } from "../../../sdk/src/net/unproven-address.ts";
import { PATH_MESSAGE_BYTES } from "../../../sdk/src/rendezvous/wire/invite-tunnel.ts";
import { isStun } from "../../../sdk/src/stun/message.ts";
import {
  type Allocation,
  type Clock,
  Host,
  Nat,
  type NatOptions,
  Network,
  type Packet,
  RelayServer,
} from "./network.ts";

export const STUN_SERVER: Endpoint = { address: "11.0.0.1", port: 3478 };
const RELAY = "relay";
const RELAY_SERVER = "11.0.0.2";

/** An agent on a host of the simulated network, that gathers candidates and sends a packet now and then. */
export class Player {
  readonly host: Host;
  readonly agent: IceAgent;
  readonly clock: Clock;
  readonly allocation: Allocation | null;
  readonly paths: (IcePath | null)[] = [];
  readonly states: IceState[] = [];
  readonly received: { text: string; at: number }[] = [];
  readonly candidates: IceCandidate[] = [];
  readonly heard: Set<IceSource> = new Set();
  readonly sources: Set<IceSource> = new Set();
  stunSent = 0;
  /** Packets that came from addresses which are not proven. */
  strangers = 0;
  #wakeAt = Number.POSITIVE_INFINITY;
  readonly #budget = new UnansweredBudget();

  constructor(
    host: Host,
    options: Partial<IceAgentOptions> & Pick<IceAgentOptions, "role">,
    allocation: Allocation | null,
  ) {
    this.host = host;
    this.clock = host.network.clock;
    this.allocation = allocation;
    const random = (bytes: number): Uint8Array => this.clock.bytes(bytes);
    // As where a mailbox introduced the two: each has said one path to the other.
    const said = new UnprovenAddress();
    said.received(PATH_MESSAGE_BYTES);
    this.#budget.answered(RELAY_SERVER, 0);
    this.agent = new IceAgent(
      { local: newIceCredentials(random), random, budget: this.#budget.introduction(said), ...options },
      {
        send: (data, via, address, port) => {
          this.stunSent++;
          this.#send(data, via, address, port);
        },
        selected: (path) => this.paths.push(path),
        sourceAdded: (source) => {
          expect(this.sources.has(source)).toBe(false);
          this.sources.add(source);
        },
        sourceHeard: (source) => {
          this.heard.add(source);
        },
        sourceRemoved: (source) => {
          const wasHeard = this.heard.delete(source);
          expect(this.sources.delete(source) || wasHeard).toBe(true);
        },
        stateChanged: (state) => this.states.push(state),
      },
    );
    host.onPacket = (packet) => this.#receive(packet, SOCKET);
    if (allocation !== null) allocation.onPacket = (packet) => this.#receive(packet, RELAY);
  }

  /** Tells the agent something, and wakes it when it wants. */
  do(tell: (agent: IceAgent, now: number) => void): void {
    tell(this.agent, this.clock.now);
    this.agent.update(this.clock.now);
    this.#wake();
  }

  gather(reflexive: Endpoint | null, mapped: Endpoint | null = null): void {
    const { address, port } = this.host;
    const add = (candidate: ReturnType<typeof localCandidate>): void => {
      this.do((agent, now) => agent.addLocalCandidate(candidate, now));
      this.candidates.push(candidate);
    };
    add(localCandidate("host", { address, port }));
    if (mapped !== null) add(localCandidate("mapped", mapped));
    if (reflexive !== null && reflexive.address !== address) add(localCandidate("reflexive", reflexive));
    if (this.allocation !== null) add(localCandidate("relayed", this.allocation.relayed, { via: RELAY }));
  }

  /** What a path carries. */
  say(text: string): boolean {
    const { path } = this.agent;
    if (path === null) return false;
    this.#send(Buffer.from(`!${text}`), path.via, path.remote.address, path.remote.port);
    return true;
  }

  /** Says a number every `ms`. */
  chat(ms: number): void {
    let count = 0;
    const again = (): void => {
      if (this.agent.state === "closed") return;
      this.say(String(count++));
      this.clock.after(ms, again);
    };
    again();
  }

  #send(data: Uint8Array, via: string, address: string, port: number): void {
    if (via === SOCKET) this.host.send(data, address, port);
    else this.allocation?.send(data, address, port);
  }

  #receive({ data, from }: Packet, via: string): void {
    if (isStun(data)) {
      this.agent.receive(data, via, from.address, from.port, this.clock.now);
    } else if (this.agent.isRemote(via, from.address, from.port)) {
      this.received.push({ text: Buffer.from(data).toString().slice(1), at: this.clock.now });
      this.agent.heard(data.length);
      for (const source of this.sources) {
        if (source.via === via && source.address === from.address && source.port === from.port) source.heard = true;
      }
    } else this.strangers++;
    this.#wake();
  }

  #wake(): void {
    const next = this.agent.nextUpdate(this.clock.now);
    if (next >= this.#wakeAt && this.#wakeAt > this.clock.now) return;
    this.#wakeAt = next;
    if (next === Number.POSITIVE_INFINITY) return;
    // Timers are late by up to a millisecond or two.
    this.clock.at(Math.max(next, this.clock.now + 1), () => {
      if (this.#wakeAt !== next) return;
      this.#wakeAt = Number.POSITIVE_INFINITY;
      this.agent.update(this.clock.now);
      expect(this.agent.nextUpdate(this.clock.now)).toBeGreaterThan(this.clock.now);
      this.#wake();
    });
  }
}

export type Home =
  | "public"
  | "mapped"
  | "full-cone"
  | "address-restricted"
  | "port-restricted"
  | "symmetric"
  | "carrier-grade"
  | "blocked";

const NATS: Record<Exclude<Home, "public" | "carrier-grade">, NatOptions> = {
  mapped: { filtering: "address-and-port-dependent" },
  "full-cone": { filtering: "endpoint-independent", hairpin: true },
  "address-restricted": { filtering: "address-dependent" },
  "port-restricted": { filtering: "address-and-port-dependent" },
  symmetric: {
    mapping: "address-and-port-dependent",
    filtering: "address-and-port-dependent",
    ports: "random",
  },
  blocked: { blockUdp: true },
};

export interface WorldOptions {
  loss?: number;
  jitter?: number;
  delay?: number;
  relays?: boolean;
  /** Milliseconds that signalling takes. */
  signalling?: number;
}

/** An internet with homes on it. */
export class World {
  readonly clock: Clock;
  readonly internet: Network;
  readonly relay: RelayServer;
  /** The translator next to a host. */
  readonly nats: Map<Host, Nat> = new Map();
  readonly #options: WorldOptions;
  #homes = 0;

  constructor(clock: Clock, options: WorldOptions = {}) {
    this.clock = clock;
    this.#options = options;
    this.internet = new Network(clock, options.delay ?? 20);
    this.internet.loss = options.loss ?? 0;
    this.internet.jitter = options.jitter ?? 0;
    this.relay = new RelayServer(this.internet, RELAY_SERVER);
    this.internet.attach(STUN_SERVER.address, () => undefined);
  }

  /** A LAN behind a translator. */
  lan(
    options: NatOptions,
    outside: Network = this.internet,
    address = `11.1.${++this.#homes}.2`,
  ): { lan: Network; nat: Nat } {
    const lan = new Network(this.clock, 1);
    return { lan, nat: new Nat(lan, outside, address, options) };
  }

  home(kind: Home): { host: Host; nat: Nat | null } {
    if (kind === "public") {
      return { host: new Host(this.internet, `11.2.${++this.#homes}.2`), nat: null };
    }
    if (kind === "carrier-grade") {
      const carrier = this.lan({ filtering: "endpoint-independent" });
      const home = this.lan({ filtering: "address-and-port-dependent" }, carrier.lan, "100.64.0.7");
      const host = new Host(home.lan, "192.168.1.10");
      this.nats.set(host, home.nat);
      return { host, nat: home.nat };
    }
    const { lan, nat } = this.lan(NATS[kind]);
    const host = new Host(lan, `192.168.${this.#homes}.10`);
    this.nats.set(host, nat);
    if (kind === "mapped") nat.forward(host.port, { address: host.address, port: host.port });
    return { host, nat };
  }

  player(host: Host, options: Partial<IceAgentOptions> & Pick<IceAgentOptions, "role">): Player {
    return new Player(host, options, this.#options.relays === false ? null : this.relay.allocate());
  }

  /** What a STUN server would say: the host's address as it appears outside. */
  reflexive(host: Host): Endpoint | null {
    let seen: Endpoint | null = null;
    this.internet.attach(STUN_SERVER.address, ({ from }) => {
      seen = from;
    });
    const { loss } = this.internet;
    this.internet.loss = 0;
    host.send(Buffer.from("?"), STUN_SERVER.address, STUN_SERVER.port);
    this.clock.run(200, () => seen !== null);
    this.internet.loss = loss;
    return seen;
  }

  /** Both gather, exchange credentials and candidates. */
  introduce(a: Player, b: Player, mapped: { a?: Endpoint; b?: Endpoint } = {}): void {
    const ms = this.#options.signalling ?? 50;
    const reflexive = [this.reflexive(a.host), this.reflexive(b.host)] as const;
    a.gather(reflexive[0], mapped.a ?? null);
    b.gather(reflexive[1], mapped.b ?? null);
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      this.clock.after(ms, () => {
        other.do((agent, now) => agent.setRemoteCredentials(one.agent.localCredentials, now));
        for (const each of one.candidates) other.do((agent, now) => agent.addRemoteCandidate(each, now));
        other.do((agent) => agent.endOfCandidates());
      });
    }
  }
}
