/** The port mapper alone; the program would end by itself, were it not for the interval. */
import { PortMapper } from "sallyport/gateway";

const mapping = await new PortMapper().map({ internalPort: 9102, protocol: "both" });
console.log(`Anyone can join at ${mapping.externalAddress}:${mapping.externalPort}`);
setInterval(() => undefined, 1000);
