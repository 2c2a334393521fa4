import { networkInterfaces } from "node:os";
import { expect, test } from "vitest";
import { type Interfaces, interfaceReader, readInterfaces } from "../../../sdk/src/net/interfaces.ts";

const eth0: Interfaces = {
  eth0: [
    {
      address: "192.168.1.20",
      netmask: "255.255.255.0",
      family: "IPv4",
      mac: "02:00:00:00:00:01",
      internal: false,
      cidr: "192.168.1.20/24",
    },
  ],
};

function refuse(): never {
  throw Object.assign(new Error("A system error occurred: uv_interface_addresses"), { code: "ERR_SYSTEM_ERROR" });
}

test("the interfaces are those of the machine", () => {
  expect(readInterfaces()).toEqual(networkInterfaces());
});

test("a list that the system refuses is the last one that it gave", () => {
  let read: () => Interfaces = () => eth0;
  const interfaces = interfaceReader(() => read());
  expect(interfaces()).toEqual(eth0);
  read = refuse;
  expect(interfaces()).toEqual(eth0);
  read = () => ({});
  expect(interfaces()).toEqual({});
});

test("a list that the system refuses from the start is empty", () => {
  expect(interfaceReader(refuse)()).toEqual({});
});
