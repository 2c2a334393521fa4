/** Runs a list of calls through our UPNP; prints their results as JSON. */
import { UPNP } from "../../../sdk/src/gateway/upnp/godot/upnp.ts";

const calls = JSON.parse(process.argv[2] ?? "[]") as [name: string, args: (string | number)[]][];
const upnp = new UPNP();
const results: unknown[] = [];
for (const [name, args] of calls) {
  const method = name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  results.push(await (upnp as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[method]?.(...args));
}
console.log(JSON.stringify(results));
