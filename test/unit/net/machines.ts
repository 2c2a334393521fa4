/** Lists of interfaces as `os.networkInterfaces()` gives them, for tables that name interfaces. */
import type { Interfaces } from "../../../sdk/src/net/interfaces.ts";

/** `{ eth0: ["192.168.1.5/24", "fe80::5/64"] }`; `scopeid` is that of link-local addresses. */
export function machine(
  interfaces: Record<string, readonly string[]>,
  scopes: Record<string, number> = {},
): Interfaces {
  return Object.fromEntries(
    Object.entries(interfaces).map(([name, cidrs]) => [
      name,
      cidrs.map((cidr) => {
        const [address = ""] = cidr.split("/");
        const common = {
          address,
          netmask: "",
          mac: "02:00:00:00:00:01",
          internal: /^(?:127\.|::1$)/.test(address),
          cidr,
        };
        if (!address.includes(":")) return { ...common, family: "IPv4" as const };
        const scopeid = address.startsWith("fe80:") ? (scopes[name] ?? 2) : 0;
        return { ...common, family: "IPv6" as const, scopeid };
      }),
    ]),
  );
}
