// Measures how long the NAT before this machine remembers a silent mapping; prints what was found.
import { natLifetime } from "../../../sdk/src/nat/lifetime-discovery.ts";

const { servers, waitsMs } = JSON.parse(process.argv[2] ?? "{}") as { servers: string[]; waitsMs: number[] };
const silences: [number, boolean][] = [];
const lifetime = natLifetime(servers, { waitsMs, onSilence: (...silence) => void silences.push(silence) });
// It keeps no process alive, so that somebody else has to.
const alive = setInterval(() => undefined, 1_000);
console.log(JSON.stringify({ ...(await lifetime), silences }));
clearInterval(alive);
