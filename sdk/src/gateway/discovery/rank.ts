import { OTHER_DEVICE } from "../gateway.ts";
import type { LocalInterface } from "../interfaces.ts";

/**
 * {@link Gateway.rank} of a router at `address` that is asked through one of `interfaces`, which come best route first. Where none
 * of them has a default gateway, all routers are alike.
 */
export function rankOf(address: string, through: LocalInterface, interfaces: readonly LocalInterface[]): number {
  const routes = [
    ...new Set(
      interfaces.filter(({ family, gateway }) => family === through.family && gateway !== undefined).map(nameOf),
    ),
  ];
  if (routes.length === 0) return 0;
  const index = through.gateway === bare(address) ? routes.indexOf(nameOf(through)) : -1;
  return index < 0 ? OTHER_DEVICE : index;
}

function nameOf({ name, gateway }: LocalInterface): string {
  return `${name} ${gateway}`;
}

/** Without the zone of a link-local address, which default routes do not have. */
function bare(address: string): string {
  return address.split("%", 1)[0] ?? address;
}
