/**
 * Maps UDP port 7777 once with the library that is named, and prints the milliseconds from its first call to the answer, and
 * from before it was loaded.
 */
import { makeUrgent } from "./urgent.ts";

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

interface Taken {
  ms: number;
  withLoadingMs?: number;
}

async function ours(...via: ("pcp" | "nat-pmp" | "upnp")[]): Promise<Taken> {
  const start = performance.now();
  const { PortMapper } = await import("sallyport/gateway");
  const began = performance.now();
  const mapper = new PortMapper({ via, journal: state });
  await mapper.map({ internalPort: 7777, protocol: "udp" });
  const now = performance.now();
  await mapper.close();
  return { ms: now - began, withLoadingMs: now - start };
}

async function natApi(options: { enablePMP: boolean; enableUPNP: boolean }): Promise<Taken> {
  const library = await load("@silentbot1/nat-api");
  const NatAPI = (library.default ?? library) as new (options: object) => Foreign;
  const began = performance.now();
  const client = new NatAPI(options);
  await client.map({ publicPort: 7777, privatePort: 7777, protocol: "UDP", ttl: 1200 });
  const ms = performance.now() - began;
  await Promise.race([client.destroy(), new Promise((resolve) => setTimeout(resolve, 2000))]);
  return { ms };
}

async function achingbrain(via: "upnp" | "nat-pmp"): Promise<Taken> {
  const { upnpNat, pmpNat } = await load("@achingbrain/nat-port-mapper");
  const began = performance.now();
  const signal = AbortSignal.timeout(10_000);
  const options = { protocol: "udp", externalPort: 7777, signal };
  if (via === "nat-pmp") {
    await pmpNat(gatewayAddress).map(7777, hostAddress, options);
    return { ms: performance.now() - began };
  }
  for await (const gateway of upnpNat().findGateways({ signal })) {
    await gateway.map(7777, hostAddress, options);
    return { ms: performance.now() - began };
  }
  throw new Error("no gateway");
}

async function runonflux(): Promise<Taken> {
  const { Client } = await load("@runonflux/nat-upnp");
  const began = performance.now();
  const client = new Client();
  await client.createMapping({ public: 7777, private: 7777, protocol: "udp", ttl: 600 });
  const ms = performance.now() - began;
  client.close();
  return { ms };
}

const PEERS: Record<string, () => Promise<Taken>> = {
  "ours pcp": () => ours("pcp"),
  "ours nat-pmp": () => ours("nat-pmp"),
  "ours upnp": () => ours("upnp"),
  "ours all": () => ours("pcp", "nat-pmp", "upnp"),
  "@silentbot1/nat-api upnp": () => natApi({ enablePMP: false, enableUPNP: true }),
  "@silentbot1/nat-api nat-pmp": () => natApi({ enablePMP: true, enableUPNP: false }),
  "@achingbrain/nat-port-mapper upnp": () => achingbrain("upnp"),
  "@achingbrain/nat-port-mapper nat-pmp": () => achingbrain("nat-pmp"),
  "@runonflux/nat-upnp": runonflux,
};

makeUrgent(process.pid);
try {
  console.log(JSON.stringify(await PEERS[peer]?.()));
} catch (error) {
  console.log(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
}
process.exit();
