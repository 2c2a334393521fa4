/** Over real sockets of this machine, in real time: what a game's port hears, and servers that are not what they seem. */
import { seededRandom } from "../../../sdk/src/channel/random.ts";
import { IceMux } from "../../../sdk/src/ice/mux.ts";
import { natBehaviour } from "../../../sdk/src/nat/behaviour-discovery.ts";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { UnansweredBudget } from "../../../sdk/src/net/unanswered-budget.ts";
import { UnprovenAddress } from "../../../sdk/src/net/unproven-address.ts";
import { connectSession } from "../../../sdk/src/session/connect.ts";
import { UDPSessionServer } from "../../../sdk/src/session/server.ts";
import { StunBuilder } from "../../../sdk/src/stun/builder.ts";
import { stunBinding } from "../../../sdk/src/stun/client.ts";
import { StunAttribute, StunErrorCode, StunMethod } from "../../../sdk/src/stun/constants.ts";
import { StunMessage } from "../../../sdk/src/stun/message.ts";
import { openTurnRelay } from "../../../sdk/src/turn/open.ts";
import { HostileDatagrams } from "../../soak/attack/hostile-datagrams.ts";
import type { Row } from "./row.ts";

const LOOPBACK = "127.0.0.1";
const DATAGRAMS = 5_000;
const SAMPLES = 64;
/** So many at once, that the kernel drops none. */
const BATCH = 50;

/** A socket that counts and answers nothing, at an address of its own. */
class Victim implements AsyncDisposable {
  got = 0;
  readonly socket: UDPSocket;

  constructor(address: string) {
    this.socket = UDPSocket.open({ address });
    this.socket.onDatagram = (data) => void (this.got += data.length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.socket.close();
  }
}

/** All that strangers may send to the port of a game with a player. */
async function junk(): Promise<Row> {
  await using socket = UDPSocket.open({ address: LOOPBACK });
  await using stranger = new Victim(LOOPBACK);
  using _mux = new IceMux(socket);
  await using host = await UDPSessionServer.open(socket);
  await using own = UDPSocket.open({ address: LOOPBACK });
  // What has been read, so that a copy is one.
  const samples: Uint8Array[] = [];
  socket.tap((data, _address, port) => {
    if (port === own.localPort && samples.length < SAMPLES) samples.push(Uint8Array.from(data));
    return false;
  });
  const addresses = [{ address: LOOPBACK, port: socket.localPort }];
  const token = host.createToken({ clientId: 1n, addresses, userData: new Uint8Array(0) });
  const session = await connectSession(token, { socket: own });
  const hostile = new HostileDatagrams(seededRandom(1));
  hostile.samples = samples;
  let said = 0;
  for (let n = 0; n < DATAGRAMS; n++) {
    const data = hostile.next();
    said += data.length;
    stranger.socket.send(data, socket.localPort, LOOPBACK);
    if (n % BATCH === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  // What the player says now is heard after all of it.
  const heard = new Promise((resolve) => {
    for (const each of host.sessions) each.onMessage = resolve;
  });
  session.send(new Uint8Array(1), "reliable");
  await heard;
  session.close();
  return {
    what: "anything else to a game's port: junk, forged requests, copies, STUN, ICE, TURN, DTLS",
    said,
    got: stranger.got,
    held: "no answer",
  };
}

/** It names somebody else as its other address, and says that we are somebody else. */
async function stunServer(): Promise<Row> {
  await using game = UDPSocket.open({ address: "0.0.0.0" });
  await using server = UDPSocket.open({ address: "127.0.8.1" });
  await using victim = new Victim("127.0.8.2");
  const named = { address: "127.0.8.2", port: victim.socket.localPort };
  let said = 0;
  server.onDatagram = (data, address, port) => {
    const request = StunMessage.decode(data);
    if (request === null) return;
    const answer = new StunBuilder(StunMethod.BINDING, "success", request.transactionId)
      .xorAddress(StunAttribute.XOR_MAPPED_ADDRESS, named)
      .address(StunAttribute.OTHER_ADDRESS, named)
      .build();
    said += answer.length;
    server.send(answer, port, address);
  };
  await natBehaviour(game, `127.0.8.1:${server.localPort}`);
  return {
    what: "the other address of a hostile STUN server, and what it says is ours",
    said,
    got: victim.got,
    timed: true,
    held: "3 bytes for each that it answered",
  };
}

/** It sends its clients to somebody else (300 Try Alternate). */
async function turnServer(): Promise<Row> {
  await using game = UDPSocket.open({ address: "0.0.0.0" });
  await using server = UDPSocket.open({ address: "127.0.8.3" });
  await using victim = new Victim("127.0.8.4");
  const named = { address: "127.0.8.4", port: victim.socket.localPort };
  let said = 0;
  server.onDatagram = (data, address, port) => {
    const request = StunMessage.decode(data);
    if (request === null) return;
    const answer = new StunBuilder(StunMethod.ALLOCATE, "error", request.transactionId)
      .errorCode(StunErrorCode.TRY_ALTERNATE, "")
      .address(StunAttribute.ALTERNATE_SERVER, named)
      .build();
    said += answer.length;
    server.send(answer, port, address);
  };
  const servers = [{ urls: `turn:127.0.8.3:${server.localPort}`, username: "u", credential: "c" }];
  await openTurnRelay({ socket: game, servers, timeoutMs: 8_000 }).catch(() => undefined);
  return {
    what: "the alternate of a hostile TURN server",
    said,
    got: victim.got,
    timed: true,
    held: "four requests",
  };
}

/** All STUN and TURN servers that it names are somebody else; as the invite tunnel asks them. */
async function lobby(): Promise<Row> {
  await using game = UDPSocket.open({ address: "0.0.0.0" });
  await using victim = new Victim("127.0.8.5");
  const urls = (scheme: string, count: number): string[] =>
    Array.from({ length: count }, (_, n) => `${scheme}:127.0.8.5:${n === 0 ? victim.socket.localPort : 1_000 + n}`);
  const turn = [0, 1].map(() => ({ urls: urls("turn", 8), username: "", credential: "", expiresAt: 0 }));
  const servers = { stun: urls("stun", 8), turn };
  const budget = new UnansweredBudget().introduction(new UnprovenAddress());
  const said = JSON.stringify(servers).length;
  budget.heard(said);
  // Those that go to other ports of the address count as well.
  let got = 0;
  const send = game.send.bind(game);
  game.send = (data, port, address) => {
    got += data.length;
    return send(data, port, address);
  };
  const maySend = (address: string, bytes: number): boolean => budget.take(address, bytes, performance.now());
  await Promise.all([
    stunBinding(game, servers.stun, { maySend }),
    openTurnRelay({ socket: game, servers: turn, maySend, timeoutMs: 8_000 }).catch(() => undefined),
  ]);
  return {
    what: "STUN and TURN servers that a hostile lobby names to a player",
    said,
    got,
    timed: true,
    held: "3 bytes for each of the list",
  };
}

export const socketRows = (): Promise<Row[]> => Promise.all([junk(), stunServer(), turnServer(), lobby()]);
