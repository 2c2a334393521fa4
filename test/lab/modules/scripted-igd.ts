/**
 * A UPnP gateway that maps on paper alone: it keeps a table, and what comes in is led on by the machine's own rules. Prints a line
 * when it is ready.
 */
import { ScriptedGateway } from "../../interop/scripted-gateway.ts";

const { address, externalAddress } = JSON.parse(process.argv[2] ?? "{}") as {
  address: string;
  externalAddress: string;
};
const gateway = await ScriptedGateway.start({ address, externalAddress, ssdpPort: 1900 });
console.log("ready");
process.once("SIGTERM", () => void gateway[Symbol.asyncDispose]().then(() => process.exit()));
