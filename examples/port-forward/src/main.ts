// Any server behind a home router: PORT -- COMMAND. The port is open on the router as long as the command runs.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { optionsFromEnvironment } from "sallyport";
import { PortMapError, PortMapper, type PortMapping } from "sallyport/gateway";

const separator = process.argv.indexOf("--");
const port = Number(process.argv[2]);
const [command, ...argv] = separator === 3 ? process.argv.slice(4) : process.argv.slice(3);
if (!Number.isInteger(port) || port < 1 || port > 65_535 || command === undefined) {
  console.error("Usage: npm run start -w examples/port-forward -- PORT -- COMMAND [ARGUMENT]…");
  process.exit(64);
}

const interrupted = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"] as const)
  process.on(signal, () => interrupted.abort());

// `await using` gives the port back on every way out.
await using mapper = new PortMapper({ via: optionsFromEnvironment().via });
const mapping = await open();
mapping?.on("changed", () => console.error(`Now reached at ${mapping.externalAddress}:${mapping.externalPort}`));
mapping?.on("lost", ({ reason }) => console.error(`Not reached for now: ${reason}`));

const env = { ...process.env };
if (mapping !== undefined) {
  env["EXTERNAL_ADDRESS"] = mapping.externalAddress;
  env["EXTERNAL_PORT"] = String(mapping.externalPort);
}
const server = spawn(command, argv, { env, stdio: "inherit" });
// Windows has no SIGTERM, which would end it at once; Ctrl-C in its window reaches the command itself.
const end = (): boolean => process.platform !== "win32" && server.kill();
interrupted.signal.addEventListener("abort", end);
if (interrupted.signal.aborted) end();

try {
  const [code, signal] = (await once(server, "exit")) as [number | null, NodeJS.Signals | null];
  process.exitCode = code ?? (signal === "SIGTERM" && interrupted.signal.aborted ? 0 : 1);
} catch (error) {
  console.error(`${command} cannot be run: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 127;
}

async function open(): Promise<PortMapping | undefined> {
  try {
    const opened = await mapper.map(
      { internalPort: port, protocol: "both", description: command },
      { signal: interrupted.signal },
    );
    console.error(`Reached at ${opened.externalAddress}:${opened.externalPort}, by ${opened.gateway.name}`);
    return opened;
  } catch (error) {
    if (!(error instanceof PortMapError)) throw error;
    console.error(`For the local network only: ${error.message}`);
    return undefined;
  }
}
