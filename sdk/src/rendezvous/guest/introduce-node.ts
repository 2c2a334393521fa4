import { openNodeSocket } from "../mailbox/socket-node.ts";
import type { Introduction } from "../sealed/introduction.ts";
import type { RelaySockets } from "./by-relays.ts";
import { type IntroduceOptions, introduce } from "./introduce.ts";

/** Node has bare TCP, and bounds what it reads of a relay. */
export const NODE_SOCKETS: RelaySockets = { open: openNodeSocket, canStream: true };

/** {@link introduce} in Node. @throws RendezvousError as introduce */
export function introduceInNode(codeOrLink: string, options: IntroduceOptions = {}): Promise<Introduction> {
  return introduce(codeOrLink, options, NODE_SOCKETS);
}
