export { TurnStreamReader } from "../stream-reader.ts";
export { TurnAllocation, type TurnState } from "./allocation.ts";
export type { TurnAllocationOptions, TurnAllocationSink, TurnTiming } from "./allocation-options.ts";
export {
  checkTurnCredentials,
  mintTurnCredentials,
  type TurnCredentials,
  type TurnCredentialVerdict,
  type TurnMintOptions,
  turnCredentialsExpiry,
} from "./credentials.ts";
export { TurnError, type TurnFailure } from "./errors.ts";
export { TurnKeeper, type TurnKeeperOptions } from "./keeper.ts";
export { type OpenTurnRelayOptions, openTurnRelay, type TurnProgress, type TurnServer } from "./open.ts";
export { TurnRedirect } from "./refusal.ts";
export { TurnRelay } from "./relay.ts";
export type { RelayPath } from "./relay-path.ts";
export { parseTurnUrl, type TurnServerUrl, type TurnTransport } from "./url.ts";
