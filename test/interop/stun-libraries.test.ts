import stun from "stun";
import { describe, expect, test } from "vitest";
import { classes, Message, methods, parseMessage } from "werift-ice";
import { UDPSocket } from "../../sdk/src/net/udp-socket.ts";
import { StunBuilder } from "../../sdk/src/stun/builder.ts";
import { stunBinding } from "../../sdk/src/stun/client.ts";
import { StunAttribute as A, StunMethod } from "../../sdk/src/stun/constants.ts";
import { StunMessage } from "../../sdk/src/stun/message.ts";
import { StunServer } from "../../sdk/src/stun/server.ts";

const id = Buffer.from("0123456789ab");
const key = "secret";

function decode(data: Uint8Array): StunMessage {
  const message = StunMessage.decode(data);
  if (message === null) throw new Error("not a STUN message");
  return message;
}

/** `stun` does not tell which port it listens on. */
async function freePort(): Promise<number> {
  await using socket = UDPSocket.open({ address: "127.0.0.1" });
  return socket.localPort;
}

/** What all three codecs are asked to say in one message. */
function ours(cls: "request" | "success"): StunBuilder {
  return new StunBuilder(StunMethod.BINDING, cls, id)
    .text(A.SOFTWARE, "söftware")
    .text(A.USERNAME, "user:name")
    .uint32(A.PRIORITY, 0x7effffff)
    .xorAddress(A.XOR_MAPPED_ADDRESS, { address: "203.0.113.77", port: 54321 })
    .address(A.MAPPED_ADDRESS, { address: "2001:db8::77", port: 1 });
}

describe("npm stun", () => {
  test("reads what we write, with integrity and fingerprint", () => {
    const message = stun.decode(ours("success").integrity(Buffer.from(key)).fingerprint().build());
    expect(message.transactionId).toEqual(id);
    expect([message.getSoftware(), message.getUsername()]).toEqual(["söftware", "user:name"]);
    expect(message.getXorAddress()).toMatchObject({ address: "203.0.113.77", port: 54321 });
    expect(message.getAddress()).toMatchObject({ address: "2001:db8::77", port: 1 });
    expect([stun.validateMessageIntegrity(message, key), stun.validateFingerprint(message)]).toEqual([true, true]);
  });

  test("writes what we read", () => {
    const message = stun.createMessage(stun.constants["STUN_BINDING_RESPONSE"] ?? 0, id);
    message.addSoftware("node");
    message.addXorAddress("2001:db8::1", 4433);
    message.addAlternateServer("192.0.2.3", 3479);
    message.addRealm("realm");
    message.addNonce("nonce");
    message.addMessageIntegrity(key);
    message.addFingerprint();
    const read = decode(message.toBuffer());
    expect([read.class, read.method, read.transactionId]).toEqual(["success", 1, id]);
    expect(read.mappedAddress()).toEqual({ address: "2001:db8::1", port: 4433 });
    expect(read.address(A.ALTERNATE_SERVER)).toEqual({ address: "192.0.2.3", port: 3479 });
    expect([read.text(A.REALM), read.text(A.NONCE)]).toEqual(["realm", "nonce"]);
    expect([read.integrityMatches(Buffer.from(key)), read.fingerprintMatches()]).toEqual([true, true]);
  });

  test("its client and our server, our client and its server", async () => {
    await using server = StunServer.open({ port: 0, addresses: ["127.0.0.1"] });
    const answer = await stun.request(`127.0.0.1:${server.port}`, {});
    expect(answer.getXorAddress().address).toBe("127.0.0.1");

    const theirs = stun.createServer({ type: "udp4" });
    theirs.on("bindingRequest", (request, { address, port }) => {
      const response = stun.createMessage(stun.constants["STUN_BINDING_RESPONSE"] ?? 0, request.transactionId);
      response.addXorAddress(address, port);
      theirs.send(response, port, address);
    });
    const port = await freePort();
    await new Promise<void>((resolve) => {
      theirs.listen(port, "127.0.0.1", resolve);
    });
    await using socket = UDPSocket.open();
    const [outcome] = await stunBinding(socket, [`127.0.0.1:${port}`]);
    theirs.close();
    expect(outcome?.mapped).toEqual({ address: "127.0.0.1", port: socket.localPort });
  });
});

describe("werift-ice", () => {
  test("reads what we write, and insists on integrity and fingerprint", () => {
    const data = ours("request")
      .uint64(A.ICE_CONTROLLING, 2n ** 63n + 5n)
      .flag(A.USE_CANDIDATE);
    const message = parseMessage(data.integrity(Buffer.from(key)).fingerprint().build(), Buffer.from(key));
    expect([message?.messageMethod, message?.messageClass]).toEqual([methods.BINDING, classes.REQUEST]);
    expect(message?.getAttributeValue("XOR-MAPPED-ADDRESS")).toEqual(["203.0.113.77", 54321]);
    expect(message?.getAttributeValue("ICE-CONTROLLING")).toBe(2n ** 63n + 5n);
    expect(message?.getAttributeValue("PRIORITY")).toBe(0x7effffff);
  });

  test("writes what we read", () => {
    const message = new Message(methods.ALLOCATE, classes.ERROR, id);
    message.setAttribute("ERROR-CODE", [438, "Stale Nonce"]);
    message.setAttribute("REALM", "example.org");
    message.setAttribute("NONCE", Buffer.from("nonce"));
    message.setAttribute("XOR-RELAYED-ADDRESS", ["192.0.2.15", 50000]);
    message.setAttribute("XOR-PEER-ADDRESS", ["2001:db8::15", 50001]);
    message.setAttribute("LIFETIME", 600);
    message.addMessageIntegrity(Buffer.from(key)).addFingerprint();
    const read = decode(message.bytes);
    expect([read.class, read.method, read.errorCode()]).toEqual([
      "error",
      StunMethod.ALLOCATE,
      { code: 438, reason: "Stale Nonce" },
    ]);
    expect(read.xorAddress(A.XOR_RELAYED_ADDRESS)).toEqual({ address: "192.0.2.15", port: 50000 });
    expect(read.xorAddress(A.XOR_PEER_ADDRESS)).toEqual({ address: "2001:db8::15", port: 50001 });
    expect([read.uint32(A.LIFETIME), read.text(A.NONCE)]).toEqual([600, "nonce"]);
    expect([read.integrityMatches(Buffer.from(key)), read.fingerprintMatches()]).toEqual([true, true]);
  });
});
