/** The least that opens a port: no signal code of its own. */
import { ConnectivityManager } from "sallyport";

const connectivity = new ConnectivityManager({ port: 9100 });
connectivity.on("change", ({ summary }) => console.log(summary));
await connectivity.open();
