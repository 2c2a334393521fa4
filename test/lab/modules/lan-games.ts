// Looks for games as a game's own menu would, and prints them: all that are found in time, or the first one.
import { SallyportClient } from "../../../sdk/src/colyseus/client/client.ts";

interface Args {
  application: string;
  timeoutMs: number;
  first?: boolean;
}
const { first, ...search } = JSON.parse(process.argv[2] ?? "{}") as Args;
if (first === true) {
  for await (const game of SallyportClient.discoverEach(search)) {
    console.log(JSON.stringify([game]));
    break;
  }
} else console.log(JSON.stringify(await SallyportClient.discover(search)));
