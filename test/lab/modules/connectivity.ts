// A ConnectivityManager in a machine of the lab: a JSON line for what open() answers, one for each change, until stdin says close.
import { ConnectivityManager } from "../../../sdk/src/connectivity/manager/manager.ts";
import { type ConnectivityOptions } from "../../../sdk/src/connectivity/options.ts";

const options = JSON.parse(process.argv[2] ?? "{}") as ConnectivityOptions;
const began = performance.now();
const manager = new ConnectivityManager(options);
const print = (event: string, value: object): void => {
  console.log(JSON.stringify({ event, at: Math.round(performance.now() - began), ...value }));
};
manager.on("change", (reachability) => print("change", reachability));
print("open", await manager.open());
process.stdin.once("data", () => {
  void manager.close().then(() => {
    print("closed", {});
    process.stdin.destroy();
  });
});
