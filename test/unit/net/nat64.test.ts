import { describe, expect, test } from "vitest";
import { NAT64Finder, type NAT64Network, NAT64Prefix } from "../../../sdk/src/net/nat64.ts";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";

/** RFC 6052 section 2.4, for 192.0.2.33; and what `ipv4only.arpa` would have under the same prefix. */
const PREFIXES = [
  ["2001:db8::/32", "2001:db8:c000:aa::", "2001:db8:808:808::"],
  ["2001:db8:100::/40", "2001:db8:1c0:0:aa::", "2001:db8:108:808:8::"],
  ["2001:db8:122::/48", "2001:db8:122:c000:0:aa00::", "2001:db8:122:808:8:800::"],
  ["2001:db8:122:300::/56", "2001:db8:122:3c0:0:aa::", "2001:db8:122:308:8:808::"],
  ["2001:db8:122:344::/64", "2001:db8:122:344:c0:0:aa00::", "2001:db8:122:344:8:808:800:0"],
  ["2001:db8:122:344::/96", "2001:db8:122:344::c000:aa", "2001:db8:122:344::808:808"],
  ["64:ff9b::/96", "64:ff9b::192.0.0.170", "64:ff9b::808:808"],
] as const;

const prefixOf = (address: string): NAT64Prefix => {
  const prefix = NAT64Prefix.from(address);
  if (!prefix) throw new Error(`no prefix in ${address}`);
  return prefix;
};

describe("the prefix of a network", () => {
  test.each(PREFIXES)("%s is found in %s, and puts 8.8.8.8 at %s", (text, told, translated) => {
    const prefix = prefixOf(told);
    expect(String(prefix)).toBe(text);
    expect(prefix.toIPv6("8.8.8.8")).toBe(translated);
    expect(prefix.toIPv4(translated)).toBe("8.8.8.8");
  });

  test("the second address of the name counts too, and no other does", () => {
    expect(String(prefixOf("64:ff9b::192.0.0.171"))).toBe("64:ff9b::/96");
    for (const other of ["64:ff9b::192.0.0.172", "2001:db8::1", "192.0.0.170", "no address", "64:ff9b::1:c000:aa"]) {
      expect([other, NAT64Prefix.from(other)?.toIPv4("64:ff9b::808:808")]).toEqual([other, undefined]);
    }
  });

  test("addresses that are no NAT64's to translate stay as they are", () => {
    const prefix = prefixOf("64:ff9b::192.0.0.170");
    for (const address of ["192.168.1.10", "127.0.0.1", "100.64.0.1", "169.254.1.1", "2001:db8::1", "game.example"]) {
      expect([address, prefix.toIPv6(address)]).toEqual([address, undefined]);
    }
    expect(prefix.toIPv4("2001:db8::808:808")).toBeUndefined();
  });
});

class TestNetwork implements NAT64Network {
  ipv4 = false;
  answers: string[] | Error = ["64:ff9b::192.0.0.170"];
  asked = 0;
  ms = 0;
  hasIPv4 = (): boolean => this.ipv4;
  now = (): number => this.ms;

  async resolve6(): Promise<string[]> {
    this.asked++;
    if (this.answers instanceof Error) throw this.answers;
    return this.answers;
  }
}

describe("finding it", () => {
  test("a URL with an IPv4 address leads through the NAT64, a name goes as it is", async () => {
    const network = new TestNetwork();
    const finder = new NAT64Finder(network);
    expect(await finder.locate("http://8.8.8.8:7777/arena?x=1")).toBe("http://[64:ff9b::808:808]:7777/arena?x=1");
    for (const url of ["https://game.example/", "http://192.168.1.10:7777/", "http://[2001:db8::1]:7777/", "no URL"]) {
      expect(await finder.locate(url)).toBe(url);
    }
    expect(network.asked).toBe(1);
  });

  test("nobody is asked where there is IPv4", async () => {
    const network = new TestNetwork();
    network.ipv4 = true;
    expect(await new NAT64Finder(network).locate("http://8.8.8.8:7777/")).toBe("http://8.8.8.8:7777/");
    expect(network.asked).toBe(0);
  });

  test("another network is asked after a minute, and one without NAT64 has none", async () => {
    const network = new TestNetwork();
    network.answers = new Error("ENOTFOUND");
    const finder = new NAT64Finder(network);
    expect(await finder.prefix()).toBeUndefined();
    network.answers = ["2001:db8::1", "64:ff9b::192.0.0.171"];
    expect(await finder.prefix()).toBeUndefined();
    network.ms = 60_000;
    expect(String(await finder.prefix())).toBe("64:ff9b::/96");
  });
});

test("a socket names and reaches public IPv4 peers through the NAT64, and all others as ever", async () => {
  // The lab has a translator; here is looked at what stays as it is.
  await using socket = UDPSocket.open({ nat64: prefixOf("64:ff9b::192.0.0.170") });
  expect(["8.8.8.8", "127.0.0.1", "2001:db8::1"].map((address) => socket.canReach(address))).toEqual([
    true,
    true,
    true,
  ]);
  await using peer = UDPSocket.open({ address: "127.0.0.1" });
  const heard = new Promise<string>((resolve) => {
    socket.onDatagram = (data, address, port) => resolve(`${data.toString()} ${address} ${port === peer.localPort}`);
  });
  peer.send(Buffer.from("hello"), socket.localPort, "127.0.0.1");
  expect(await heard).toBe("hello 127.0.0.1 true");
});
