/** The ladder: how strangers get to this machine's game, kept up and explained. */
export { type ConnectivityEvents, ConnectivityManager } from "./manager.ts";
export type { ConnectivityOptions } from "./options.ts";
export type { ConnectivityParts } from "./parts.ts";
export type {
  EndpointKind,
  EndpointVia,
  NatBehaviour,
  NatDescription,
  Reachability,
  ReachableEndpoint,
  ReachableGateway,
  Step,
  StepOutcome,
  Verdict,
} from "./reachability.ts";
