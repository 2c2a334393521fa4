import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StunBuilder } from "../../../../sdk/src/stun/builder.ts";
import { StunAttribute as A, StunErrorCode as Code, StunMethod } from "../../../../sdk/src/stun/constants.ts";
import type { StunMessage } from "../../../../sdk/src/stun/message.ts";
import { mintTurnCredentials } from "../../../../sdk/src/turn/credentials.ts";
import { OWN, SECRET, World } from "./harness.ts";

const PEER = { address: "203.0.113.5", port: 7000 };
const codeOf = (answer: StunMessage): number | undefined => answer.errorCode()?.code;
const portOf = (answer: StunMessage): number => answer.xorAddress(A.XOR_RELAYED_ADDRESS)?.port ?? 0;

describe("allocation", () => {
  test("a client with minted credentials gets a relayed address, its own address and a lifetime", () => {
    const world = new World();
    const client = world.client();
    const answer = client.allocate();
    expect(answer.class).toBe("success");
    expect(answer.xorAddress(A.XOR_RELAYED_ADDRESS)).toEqual({ address: OWN, port: 50_000 });
    expect(answer.mappedAddress()).toEqual(client.endpoint);
    expect(answer.uint32(A.LIFETIME)).toBe(600);
  });

  test("a repeated request gets the same answer, another one a mismatch", () => {
    const world = new World();
    const client = world.client();
    const transactionId = Buffer.alloc(12, 7);
    client.challenge();
    const [once, again] = [client.allocate(undefined, transactionId), client.allocate(undefined, transactionId)];
    expect([portOf(once), portOf(again), world.core.size]).toEqual([50_000, 50_000, 1]);
    expect(codeOf(client.allocate())).toBe(Code.ALLOCATION_MISMATCH);
  });

  test("it lapses unless it is refreshed, and a lifetime of zero gives the port back at once", () => {
    const world = new World();
    const [lapsing, kept, released] = [world.client(), world.client(), world.client()];
    for (const client of [lapsing, kept, released]) client.allocate();
    expect(released.ask(StunMethod.REFRESH, (builder) => builder.uint32(A.LIFETIME, 0)).uint32(A.LIFETIME)).toBe(0);
    expect([...world.open_.keys()]).toEqual([50_000, 50_001]);
    world.now += 500_000;
    expect(kept.ask(StunMethod.REFRESH).uint32(A.LIFETIME)).toBe(600);
    world.now += 200_000;
    world.core.sweep();
    expect([...world.open_.keys()]).toEqual([50_001]);
    expect(codeOf(released.ask(StunMethod.REFRESH))).toBe(Code.STALE_NONCE);
    released.challenge();
    expect(codeOf(released.ask(StunMethod.REFRESH))).toBe(Code.ALLOCATION_MISMATCH);
  });

  test.each([
    [Code.UNSUPPORTED_TRANSPORT_PROTOCOL, A.REQUESTED_TRANSPORT, Uint8Array.of(6, 0, 0, 0)],
    [Code.BAD_REQUEST, A.REQUESTED_TRANSPORT, Uint8Array.of(17)],
    [Code.ADDRESS_FAMILY_NOT_SUPPORTED, A.REQUESTED_ADDRESS_FAMILY, Uint8Array.of(2, 0, 0, 0)],
    [Code.INSUFFICIENT_CAPACITY, A.EVEN_PORT, Uint8Array.of(0x80)],
    [Code.INSUFFICIENT_CAPACITY, A.RESERVATION_TOKEN, new Uint8Array(8)],
    [Code.UNKNOWN_ATTRIBUTE, A.DONT_FRAGMENT, new Uint8Array(0)],
  ])("is refused with %i for what the server cannot do", (code, type, value) => {
    const client = new World().client();
    client.challenge();
    const answer = client.ask(StunMethod.ALLOCATE, (builder) => {
      builder.add(type, value);
      if (type !== A.REQUESTED_TRANSPORT) builder.add(A.REQUESTED_TRANSPORT, Uint8Array.of(17, 0, 0, 0));
    });
    expect(codeOf(answer)).toBe(code);
  });

  const R = Uint8Array.of(0x80);
  const family = (value: number): Uint8Array => Uint8Array.of(value, 0, 0, 0);
  const token = [A.RESERVATION_TOKEN, new Uint8Array(8)] as const;
  test.each<[number | undefined, (readonly [number, Uint8Array])[]]>([
    [Code.BAD_REQUEST, [token, [A.EVEN_PORT, Uint8Array.of(0)]]],
    [Code.BAD_REQUEST, [token, [A.REQUESTED_ADDRESS_FAMILY, family(1)]]],
    [Code.BAD_REQUEST, [token, [A.ADDITIONAL_ADDRESS_FAMILY, family(2)]]],
    [
      Code.BAD_REQUEST,
      [
        [A.REQUESTED_ADDRESS_FAMILY, family(1)],
        [A.ADDITIONAL_ADDRESS_FAMILY, family(2)],
      ],
    ],
    [
      Code.BAD_REQUEST,
      [
        [A.EVEN_PORT, R],
        [A.ADDITIONAL_ADDRESS_FAMILY, family(2)],
      ],
    ],
    [Code.BAD_REQUEST, [[A.ADDITIONAL_ADDRESS_FAMILY, family(1)]]],
    [undefined, [[A.ADDITIONAL_ADDRESS_FAMILY, family(2)]]],
    [undefined, [[A.EVEN_PORT, Uint8Array.of(0)]]],
  ])("that contradicts itself is refused with 400, as RFC 8656 section 7.2 has it: %s %j", (code, attributes) => {
    const client = new World().client();
    const answer = client.allocate((builder) => {
      for (const [type, value] of attributes) builder.add(type, value);
    });
    expect(codeOf(answer)).toBe(code);
    if (code === undefined) expect(portOf(answer) % 2).toBe(0);
  });

  test("a user, a caller and the server have only so many", () => {
    const world = new World({ limits: { allocations: 6, allocationsPerUser: 2, allocationsPerCaller: 3 } });
    const codes = (labels: string[], address: string): (number | undefined)[] =>
      labels.map((label) => codeOf(world.client({ label, address }).allocate()));
    expect(codes(["ada", "ada", "ada"], "192.0.2.1")).toEqual([undefined, undefined, Code.ALLOCATION_QUOTA_REACHED]);
    expect(codes(["bob", "eve"], "192.0.2.1")).toEqual([undefined, Code.ALLOCATION_QUOTA_REACHED]);
    // One /64 is one caller.
    expect(codes(["f1"], "2001:db8::1").concat(codes(["f2"], "2001:db8::2"), codes(["f3"], "2001:db8::3"))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(codes(["f4"], "2001:db8::4")).toEqual([Code.INSUFFICIENT_CAPACITY]);
    // Credentials minted later are the same user's.
    world.unix += 5;
    expect(codes(["ada"], "192.0.2.77")).toEqual([Code.INSUFFICIENT_CAPACITY]);
    expect(world.core.size).toBe(6);
  });
});

describe("credentials", () => {
  test("wrong, expired and missing ones, and no nonce of this server's, get nothing", () => {
    const world = new World();
    const wrong = world.client();
    wrong.challenge();
    wrong.credentials = { ...wrong.credentials, credential: "guess" };
    expect(codeOf(wrong.allocate())).toBe(Code.UNAUTHENTICATED);
    const expired = world.client({ ttlSeconds: -1 });
    expect(codeOf(expired.allocate())).toBe(Code.UNAUTHENTICATED);
    const forever = world.client();
    forever.credentials = { username: "ada", credential: "x" };
    expect(codeOf(forever.allocate())).toBe(Code.UNAUTHENTICATED);
    const stale = world.client();
    stale.nonce = Buffer.alloc(12).toString("base64url");
    expect(codeOf(stale.allocate())).toBe(Code.STALE_NONCE);
    expect(world.core.size).toBe(0);
  });

  test("a request that was overheard opens nothing from another address, nor with another's nonce", () => {
    const world = new World();
    const [heard, thief] = [world.client(), world.client({ address: "192.0.2.66" })];
    heard.challenge();
    thief.credentials = heard.credentials;
    thief.nonce = heard.nonce;
    expect(codeOf(thief.allocate())).toBe(Code.STALE_NONCE);
    expect(world.core.size).toBe(0);
  });

  test("a nonce grows old", () => {
    const world = new World();
    const client = world.client({ ttlSeconds: 10_000 });
    client.challenge();
    world.now += 601_000;
    expect(codeOf(client.allocate())).toBe(Code.STALE_NONCE);
    client.challenge();
    expect(client.allocate().class).toBe("success");
  });

  test("an allocation outlives its credentials, but belongs to them alone", () => {
    const world = new World();
    const client = world.client({ ttlSeconds: 60 });
    client.allocate();
    world.unix += 100;
    expect(client.ask(StunMethod.REFRESH).class).toBe("success");
    client.credentials = mintTurnCredentials(SECRET, { label: "eve", unixSeconds: world.unix });
    expect(codeOf(client.ask(StunMethod.REFRESH))).toBe(Code.WRONG_CREDENTIALS);
  });
});

describe("relaying", () => {
  test("a peer is heard once it is permitted, by indication, then by channel", () => {
    const world = new World();
    const client = world.client();
    const port = portOf(client.allocate());
    world.peerSends(port, "too soon", PEER);
    client.indicate(PEER, "too soon");
    expect([world.toPeers.length, client.heard.length]).toEqual([0, 2]);
    client.permit(PEER.address);
    client.indicate(PEER, "hello");
    world.peerSends(port, "answer", PEER);
    expect(world.toPeers).toEqual([{ from: { address: OWN, port }, to: "203.0.113.5:7000", data: "hello" }]);
    expect(client.heard.at(-1)?.includes("answer")).toBe(true);
    expect(client.bind(0x4000, PEER).class).toBe("success");
    client.raw(Buffer.from([0x40, 0, 0, 2, 0x68, 0x69, 0, 0]));
    world.peerSends(port, "yo", PEER);
    expect(world.toPeers.at(-1)?.data).toBe("hi");
    expect(client.heard.at(-1)).toEqual(Buffer.from([0x40, 0, 0, 2, 0x79, 0x6f]));
  });

  test("ChannelData for nobody, or longer than its datagram, goes nowhere", () => {
    const world = new World();
    const client = world.client();
    client.raw(Buffer.from([0x40, 0, 0, 1, 1]));
    client.allocate();
    client.bind(0x4000, PEER);
    for (const bytes of [[0x40], [0x40, 0, 0], [0x40, 1, 0, 1, 1], [0x40, 0, 0, 9, 1], [0x7f, 255, 0, 1, 1]]) {
      client.raw(Buffer.from(bytes));
    }
    expect(world.toPeers).toEqual([]);
  });

  test("permissions last five minutes, channels ten, and what is bound twice keeps its peer", () => {
    const world = new World();
    const client = world.client({ ttlSeconds: 10_000 });
    client.allocate((builder) => builder.uint32(A.LIFETIME, 3600));
    client.bind(0x4001, PEER);
    expect(codeOf(client.bind(0x4001, { ...PEER, port: 7001 }))).toBe(Code.BAD_REQUEST);
    expect(codeOf(client.bind(0x4002, PEER))).toBe(Code.BAD_REQUEST);
    expect(codeOf(client.bind(0x3fff, PEER))).toBe(Code.BAD_REQUEST);
    const say = (): void => void client.raw(Buffer.from([0x40, 1, 0, 1, 0x61]));
    say();
    world.now += 301_000;
    say();
    expect(world.toPeers.length).toBe(1);
    client.permit(PEER.address);
    say();
    world.now += 300_000;
    client.challenge();
    client.permit(PEER.address);
    say();
    expect(world.toPeers.length).toBe(2);
    expect(client.bind(0x4002, PEER).class).toBe("success");
  });

  test("peers at home, on this machine, and of another family are refused", () => {
    const world = new World({ mayReach: undefined as never });
    const client = world.client();
    client.allocate();
    const codes = ["192.168.1.1", "10.0.0.1", "169.254.1.1", "127.0.0.2", "224.0.0.1", "0.0.0.0", "100.64.0.1"].map(
      (address) => codeOf(client.permit(address)),
    );
    expect(new Set(codes)).toEqual(new Set([Code.FORBIDDEN]));
    expect(codeOf(client.permit("2606:4700::1"))).toBe(Code.PEER_ADDRESS_FAMILY_MISMATCH);
    // One that is wrong spoils the whole request: none is permitted.
    expect(codeOf(client.permit("8.8.8.8", "10.0.0.1"))).toBe(Code.FORBIDDEN);
    client.indicate({ address: "8.8.8.8", port: 53 }, "x");
    expect(codeOf(client.permit())).toBe(Code.BAD_REQUEST);
    // Our own address is permitted for the sake of other clients; nothing but they is reached there.
    expect(client.permit(OWN, "127.0.0.1").class).toBe("success");
    client.indicate({ address: OWN, port: 22 }, "x");
    client.indicate({ address: "127.0.0.1", port: 6379 }, "x");
    expect(world.toPeers).toEqual([]);
  });

  test("no address at all is refused, whoever else may be reached", () => {
    const client = new World({ mayReach: () => true }).client();
    client.allocate();
    expect([codeOf(client.permit("0.0.0.0")), codeOf(client.permit("10.0.0.1"))]).toEqual([Code.FORBIDDEN, undefined]);
  });

  test("two clients of one server reach each other without a socket between, and only by both permissions", () => {
    const world = new World();
    const [one, other] = [world.client(), world.client()];
    const [first, second] = [portOf(one.allocate()), portOf(other.allocate())];
    one.permit(OWN);
    one.indicate({ address: OWN, port: second }, "unheard");
    expect(other.heard.some((data) => data.includes("unheard"))).toBe(false);
    other.bind(0x4000, { address: OWN, port: first });
    one.indicate({ address: OWN, port: second }, "heard");
    expect(other.heard.at(-1)?.toString("latin1")).toContain("heard");
    expect(world.toPeers).toEqual([]);
  });

  test("rates and volumes are kept", () => {
    const world = new World({ limits: { bytesPerSecond: 65_536, totalBytes: 100_000 } });
    const client = world.client();
    client.allocate();
    client.permit(PEER.address);
    const kilobyte = "x".repeat(1024);
    for (let i = 0; i < 100; i++) client.indicate(PEER, kilobyte);
    expect(world.toPeers.length).toBe(64);
    world.now += 1000;
    for (let i = 0; i < 100; i++) client.indicate(PEER, kilobyte);
    expect(world.toPeers.length).toBe(97);
    expect(world.core.counters.bytes).toBe(97 * 1024);
  });

  test("permissions and channels are counted", () => {
    const world = new World({ limits: { permissions: 3, channels: 2 } });
    const client = world.client();
    client.allocate();
    expect(codeOf(client.permit("203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"))).toBe(508);
    for (const last of [1, 2]) client.bind(0x4000 + last, { address: `203.0.113.${last}`, port: 1 });
    expect(codeOf(client.bind(0x4003, { address: "203.0.113.1", port: 2 }))).toBe(508);
    expect(client.permit("203.0.113.3").class).toBe("success");
    expect(codeOf(client.permit("203.0.113.4"))).toBe(508);
    // What has lapsed makes room.
    world.now += 300_001;
    expect(client.permit("203.0.113.4").class).toBe("success");
  });
});

test("an address that has not proved itself gets at most three times what came from it", () => {
  const requests = [
    new StunBuilder(StunMethod.ALLOCATE, "request"),
    new StunBuilder(StunMethod.ALLOCATE, "request").add(A.REQUESTED_TRANSPORT, Uint8Array.of(17, 0, 0, 0)),
    new StunBuilder(StunMethod.REFRESH, "request").flag(A.DONT_FRAGMENT),
    new StunBuilder(StunMethod.CREATE_PERMISSION, "request").text(A.USERNAME, "a"),
    new StunBuilder(StunMethod.CHANNEL_BIND, "request").fingerprint(),
    new StunBuilder(StunMethod.ALLOCATE, "request").uint32(A.LIFETIME, 1).fingerprint(),
    new StunBuilder(StunMethod.ALLOCATE, "request").integrity(new Uint8Array(16)),
  ];
  for (const realm of ["sallyport", "r".repeat(32)]) {
    for (const request of requests) {
      const client = new World({ realm }).client();
      client.raw(request.build());
      expect(client.heardBytes).toBeGreaterThan(0);
      expect(client.heardBytes / client.sentBytes).toBeLessThanOrEqual(3);
    }
  }
});

test("a flood of requests from one network is answered at a bounded rate", () => {
  const world = new World({ limits: { challenges: { networkBurst: 10, networkPerSecond: 1 } } });
  let heard = 0;
  for (let i = 0; i < 100; i++) {
    const client = world.client({ address: `192.0.2.${i}` });
    client.challenge();
    heard += client.heard.length;
  }
  expect(heard).toBe(10);
});

test("any bytes whatever leave the core whole", () => {
  const world = new World();
  const client = world.client();
  client.allocate();
  client.bind(0x4000, PEER);
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom(0x00, 0x01, 0x03, 0x16, 0x40, 0x41, 0x7f),
      fc.boolean(),
      (bytes, first, asStun) => {
        const data = Buffer.from(bytes);
        if (asStun) {
          const builder = new StunBuilder(first & 0x0f, bytes.length % 2 === 0 ? "request" : "indication");
          builder.add(((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0), bytes.subarray(2));
          client.raw(builder.build());
        } else {
          if (data.length > 0) data[0] = first;
          client.raw(data);
        }
      },
    ),
    { numRuns: 2000 },
  );
  expect(world.core.size).toBe(1);
});

test("to an address that says nothing, only so much is sent; what comes from there ends that", () => {
  const world = new World({ limits: { unansweredBytes: 1000 } });
  const client = world.client();
  const port = portOf(client.allocate());
  client.permit(PEER.address);
  const sendTen = (): number => {
    const before = world.toPeers.length;
    for (let i = 0; i < 10; i++) client.indicate(PEER, "x".repeat(300));
    return world.toPeers.length - before;
  };
  expect([sendTen(), sendTen()]).toEqual([3, 0]);
  // Another port of that address would be the same third party.
  client.indicate({ ...PEER, port: 7001 }, "x".repeat(300));
  expect(world.toPeers.length).toBe(3);
  world.peerSends(port, "here", PEER);
  expect(sendTen()).toBe(10);
});
