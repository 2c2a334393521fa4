/** Maps UDP port 7777 once with the library that is named, and prints the milliseconds from its first call to the answer. */
const { peer, hostAddress, gatewayAddress, state } = JSON.parse(process.argv[2] ?? "{}") as {
  peer: string;
  hostAddress: string;
  gatewayAddress: string;
  state: string;
};

/** Peers are installed for the measurement alone, and have no types that we need. */
// oxlint-disable-next-line typescript/no-explicit-any
type Foreign = any;
const load = async (name: string): Promise<Foreign> => await import(name);

async function ours(via: "pcp" | "nat-pmp" | "upnp"): Promise<number> {
  const { PortMapper } = await import("sallyport/gateway");
  const began = performance.now();
  const mapper = new PortMapper({ via: [via], journal: state });
  await mapper.map({ internalPort: 7777, protocol: "udp" });
  const ms = performance.now() - began;
  await mapper.close();
  return ms;
}

async function natApi(options: { enablePMP: boolean; enableUPNP: boolean }): Promise<number> {
  const library = await load("@silentbot1/nat-api");
  const NatAPI = (library.default ?? library) as new (options: object) => Foreign;
  const began = performance.now();
  const client = new NatAPI(options);
  await client.map({ publicPort: 7777, privatePort: 7777, protocol: "UDP", ttl: 1200 });
  const ms = performance.now() - began;
  await Promise.race([client.destroy(), new Promise((resolve) => setTimeout(resolve, 2000))]);
  return ms;
}

async function achingbrain(via: "upnp" | "nat-pmp"): Promise<number> {
  const { upnpNat, pmpNat } = await load("@achingbrain/nat-port-mapper");
  const began = performance.now();
  const signal = AbortSignal.timeout(10_000);
  const options = { protocol: "udp", externalPort: 7777, signal };
  if (via === "nat-pmp") {
    await pmpNat(gatewayAddress).map(7777, hostAddress, options);
    return performance.now() - began;
  }
  for await (const gateway of upnpNat().findGateways({ signal })) {
    await gateway.map(7777, hostAddress, options);
    return performance.now() - began;
  }
  throw new Error("no gateway");
}

async function runonflux(): Promise<number> {
  const { Client } = await load("@runonflux/nat-upnp");
  const began = performance.now();
  const client = new Client();
  await client.createMapping({ public: 7777, private: 7777, protocol: "udp", ttl: 600 });
  const ms = performance.now() - began;
  client.close();
  return ms;
}

const PEERS: Record<string, () => Promise<number>> = {
  "ours pcp": () => ours("pcp"),
  "ours nat-pmp": () => ours("nat-pmp"),
  "ours upnp": () => ours("upnp"),
  "@silentbot1/nat-api upnp": () => natApi({ enablePMP: false, enableUPNP: true }),
  "@silentbot1/nat-api nat-pmp": () => natApi({ enablePMP: true, enableUPNP: false }),
  "@achingbrain/nat-port-mapper upnp": () => achingbrain("upnp"),
  "@achingbrain/nat-port-mapper nat-pmp": () => achingbrain("nat-pmp"),
  "@runonflux/nat-upnp": runonflux,
};

try {
  console.log(JSON.stringify({ ms: await PEERS[peer]?.() }));
} catch (error) {
  console.log(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
}
process.exit();
