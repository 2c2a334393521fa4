import { createSocket } from "node:dgram";
import { withoutZone } from "../net/address.ts";
import { readDefaultRoutes } from "../net/default-route.ts";
import { readInterfaces } from "../net/interfaces.ts";
import { isOnLink, prefixLengthOf } from "../net/subnet.ts";
import { addressesToRouters, usableInterfaces } from "../net/usable-interfaces.ts";

/** An address of this machine through which a gateway may be asked. */
export interface LocalInterface {
  /** As in `os.networkInterfaces()`. */
  readonly name: string;
  /** The address itself, IPv6 without a zone. */
  readonly address: string;
  /** 4 for IPv4, 6 for IPv6. */
  readonly family: 4 | 6;
  /** Bits of the network's prefix: 24 for 255.255.255.0. */
  readonly prefixLength: number;
  /** The default gateway that is reached through this interface, where there is one. */
  readonly gateway?: string | undefined;
}

/** Nothing is sent there: any port does (RFC 863). */
const PORT_DISCARD = 9;

/** The addresses through which a router may be met, best first. */
export async function interfacesToRouters(): Promise<LocalInterface[]> {
  return addressesToRouters(usableInterfaces(await readDefaultRoutes()));
}

/**
 * The addresses of this machine from which a named router is asked, with that router as their gateway: those on its link, else the
 * one that the system would use, as on a VPN's interface. A host has no more than one way to a router that is elsewhere.
 */
export async function interfacesTo(router: string, usable: readonly LocalInterface[]): Promise<LocalInterface[]> {
  const onLink = usable.filter(({ address, prefixLength }) => isOnLink(router, address, prefixLength));
  const found = onLink.length > 0 ? onLink : await routedTo(router);
  return found.map((each) => ({ ...each, gateway: withoutZone(router) }));
}

/** Connecting a UDP socket sends nothing, and tells the address that the system would use. */
async function routedTo(router: string): Promise<LocalInterface[]> {
  const socket = createSocket(router.includes(":") ? "udp6" : "udp4");
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on("error", reject);
      socket.connect(PORT_DISCARD, router, () => resolve());
    });
    const own = socket.address().address;
    return Object.entries(readInterfaces()).flatMap(([name, list]) =>
      (list ?? [])
        .filter(({ address, internal }) => address === own && !internal)
        .map(({ address, family, cidr }) => {
          const number = family === "IPv4" ? (4 as const) : (6 as const);
          return { name, address, family: number, prefixLength: prefixLengthOf(cidr, number) };
        }),
    );
  } catch {
    return [];
  } finally {
    socket.close();
  }
}
