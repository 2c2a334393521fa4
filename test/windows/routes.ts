/** What `ROUTE.EXE print` writes on a computer with one cable, in the columns of Windows 11. */
export function routePrint({ address, router }: { address: string; router: string }): string {
  const network = address.replace(/\d+$/, "0");
  const broadcast = address.replace(/\d+$/, "255");
  const row = (...words: readonly [string, string, string, string, string]): string => {
    const [destination, mask, gateway, own, metric] = words;
    return destination.padStart(17) + mask.padStart(17) + gateway.padStart(17) + own.padStart(17) + metric.padStart(7);
  };
  const line = "=".repeat(75);
  return [
    line,
    "Interface List",
    "  9...e4 5f 01 aa bb cc ......Realtek PCIe GbE Family Controller",
    "  1...........................Software Loopback Interface 1",
    line,
    "",
    "IPv4 Route Table",
    line,
    "Active Routes:",
    "Network Destination        Netmask          Gateway       Interface  Metric",
    row("0.0.0.0", "0.0.0.0", router, address, "25"),
    row("127.0.0.0", "255.0.0.0", "On-link", "127.0.0.1", "331"),
    row("127.0.0.1", "255.255.255.255", "On-link", "127.0.0.1", "331"),
    row(network, "255.255.255.0", "On-link", address, "281"),
    row(address, "255.255.255.255", "On-link", address, "281"),
    row(broadcast, "255.255.255.255", "On-link", address, "281"),
    row("224.0.0.0", "240.0.0.0", "On-link", address, "281"),
    line,
    "Persistent Routes:",
    "  None",
    "",
    "IPv6 Route Table",
    line,
    "Active Routes:",
    " If Metric Network Destination      Gateway",
    "  1    331 ::1/128                  On-link",
    "  9    281 fe80::/64                On-link",
    line,
    "Persistent Routes:",
    "  None",
    "",
  ].join("\n");
}
