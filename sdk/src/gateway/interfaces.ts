import { readDefaultRoutes } from "../net/default-route.ts";
import { addressesToRouters, usableInterfaces } from "../net/usable-interfaces.ts";

/** An address of this machine through which a gateway may be asked. */
export interface LocalInterface {
  readonly name: string;
  readonly address: string;
  readonly family: 4 | 6;
  readonly prefixLength: number;
  /** The default gateway that is reached through this interface, where there is one. */
  readonly gateway?: string | undefined;
}

/** The addresses through which a router may be met, best first. */
export async function interfacesToRouters(): Promise<LocalInterface[]> {
  return addressesToRouters(usableInterfaces(await readDefaultRoutes()));
}
