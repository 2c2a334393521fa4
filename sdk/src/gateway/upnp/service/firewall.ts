import type { Transport } from "../../types.ts";
import { UpnpError } from "./errors.ts";
import { type CallOptions, SoapService } from "./http.ts";
import { text } from "./xml.ts";

/** IANA protocol numbers. */
const PROTOCOLS: Readonly<Record<Transport, number>> = { udp: 17, tcp: 6 };

/** The firewall service of a gateway (WANIPv6FirewallControl:1 section 2.5). */
export class FirewallControl extends SoapService {
  async getFirewallStatus(options?: CallOptions): Promise<{ enabled: boolean; inboundPinholeAllowed: boolean }> {
    const answer = await this.call("GetFirewallStatus", [], options);
    const isSet = (name: string): boolean => /^(?:1|true|yes)$/i.test(text(answer, name) ?? "");
    return { enabled: isSet("FirewallEnabled"), inboundPinholeAllowed: isSet("InboundPinholeAllowed") };
  }

  /** Opens a hole to our own address for `leaseSeconds`, at most a day. Resolves to its number. */
  async addPinhole(transport: Transport, port: number, leaseSeconds: number, options?: CallOptions): Promise<number> {
    const answer = await this.call(
      "AddPinhole",
      [
        ["RemoteHost", ""],
        ["RemotePort", 0],
        ["InternalClient", this.target.localAddress],
        ["InternalPort", port],
        ["Protocol", PROTOCOLS[transport]],
        ["LeaseTime", leaseSeconds],
      ],
      options,
    );
    const id = text(answer, "UniqueID") ?? "";
    if (!/^\d{1,5}$/.test(id))
      throw new UpnpError("response", "the router's answer lacks UniqueID", { serviceType: this.target.serviceType });
    return Number(id);
  }

  async updatePinhole(id: number, leaseSeconds: number, options?: CallOptions): Promise<void> {
    await this.call(
      "UpdatePinhole",
      [
        ["UniqueID", id],
        ["NewLeaseTime", leaseSeconds],
      ],
      options,
    );
  }

  async deletePinhole(id: number, options?: CallOptions): Promise<void> {
    await this.call("DeletePinhole", [["UniqueID", id]], options);
  }

  /** Packets that came through; 704 when there is no such hole. */
  async getPinholePackets(id: number, options?: CallOptions): Promise<number> {
    const answer = await this.call("GetPinholePackets", [["UniqueID", id]], options);
    return Number(text(answer, "PinholePackets") ?? 0) || 0;
  }
}
