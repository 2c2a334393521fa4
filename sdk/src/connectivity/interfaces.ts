import { type Interfaces, readInterfaces } from "../net/interfaces.ts";
import { addressScope } from "../net/scope.ts";

export interface InterfaceAddress {
  name: string;
  address: string;
}

/**
 * The unicast addresses under which others may reach this machine: no loopback, no link-local, and none of the bridges
 * that containers and virtual machines make, behind which no player sits.
 */
export function usableInterfaces(interfaces: () => Interfaces = readInterfaces): InterfaceAddress[] {
  return Object.entries(interfaces()).flatMap(([name, addresses]) =>
    (addresses ?? [])
      .filter(({ internal, address }) => !internal && !isVirtual(name) && isUsable(address))
      .map(({ address }) => ({ name, address })),
  );
}

const isVirtual = (name: string): boolean => /^(docker|br-|veth|virbr|vmnet|vboxnet|cni|flannel|lxc|lxdbr)/.test(name);

function isUsable(address: string): boolean {
  const scope = addressScope(address);
  return scope !== "loopback" && scope !== "link-local" && scope !== "invalid";
}
