import { createSocket, type Socket } from "node:dgram";
import { isOnLink } from "../../net/subnet.ts";
import type { Announcement } from "../gateway.ts";
import type { LocalInterface } from "../interfaces.ts";
import { decodeNatPmpResponse } from "../port-control/nat-pmp-message.ts";
import { decodePcpResponse, PCP_CLIENT_PORT } from "../port-control/pcp-message.ts";
import { decodeSsdp, mayBeGateway, SSDP_ADDRESS_4, SSDP_PORT } from "../upnp/ssdp.ts";

/** All hosts of the link: RFC 6886 section 3.2.1, RFC 6887 section 14.1. */
const ALL_HOSTS = "224.0.0.1";

export interface AnnouncementOptions {
  interfaces: readonly LocalInterface[];
  onAnnouncement: (announcement: Announcement) => void;
  ports?: { ssdp?: number; announcements?: number } | undefined;
}

/** Listens to what routers announce, on those ports that no other program has for itself. */
export class AnnouncementListener implements Disposable {
  readonly #sockets: Socket[] = [];
  readonly #options: AnnouncementOptions;

  constructor(options: AnnouncementOptions) {
    this.#options = options;
    this.#listen(options.ports?.announcements ?? PCP_CLIENT_PORT, ALL_HOSTS, readPortControl);
    this.#listen(options.ports?.ssdp ?? SSDP_PORT, SSDP_ADDRESS_4, readNotify);
  }

  #listen(port: number, group: string, read: (bytes: Uint8Array, from: string) => Announcement | undefined): void {
    const interfaces = this.#options.interfaces.filter(({ family }) => family === 4);
    const socket = createSocket({ type: "udp4", reuseAddr: true });
    socket.unref();
    this.#sockets.push(socket);
    socket.on("error", () => this.#drop(socket));
    socket.on("message", (bytes, { address }) => {
      if (!interfaces.some((each) => isOnLink(address, each.address, each.prefixLength))) return;
      const announcement = read(bytes, address);
      if (announcement) this.#options.onAnnouncement(announcement);
    });
    socket.bind({ port }, () => {
      for (const { address } of interfaces) {
        try {
          socket.addMembership(group, address);
        } catch {
          // The all-hosts group is joined already on some systems; an interface may have gone.
        }
      }
    });
  }

  #drop(socket: Socket): void {
    const index = this.#sockets.indexOf(socket);
    if (index < 0) return;
    this.#sockets.splice(index, 1);
    socket.close();
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets.splice(0)) socket.close();
  }
}

function readPortControl(bytes: Uint8Array, from: string): Announcement | undefined {
  const pcp = decodePcpResponse(bytes);
  if (pcp) return pcp.opcode === "announce" && pcp.result === 0 ? { kind: "pcp", from } : undefined;
  return decodeNatPmpResponse(bytes)?.opcode === "address" ? { kind: "nat-pmp", from } : undefined;
}

function readNotify(bytes: Uint8Array, from: string): Announcement | undefined {
  const message = decodeSsdp(bytes);
  if (message?.kind !== "notify" || message.nts === "" || !mayBeGateway(message)) return undefined;
  return { kind: message.nts === "byebye" ? "byebye" : "alive", from, bootId: message.bootId };
}
