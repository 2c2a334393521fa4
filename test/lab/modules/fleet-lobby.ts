// Asks a fleet's LobbyRoom for the list of rooms: prints it.
import { SallyportClient } from "../../../sdk/src/colyseus/client/client.ts";

const { url } = JSON.parse(process.argv[2] ?? "{}") as { url: string };
const lobby = await new SallyportClient(url).joinOrCreate("lobby");
const rooms = await new Promise((resolve) => lobby.onMessage("rooms", resolve));
await lobby.leave();
console.log(JSON.stringify(rooms));
process.exit(0);
