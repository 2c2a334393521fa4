/** What SallyportBrowserClient needs of a page, in Node: WebRTC as node-datachannel has it. */
import { RTCPeerConnection } from "node-datachannel/polyfill";

/** Puts it in place for the rest of the process. */
export function pretendToBeAPage(): void {
  Object.assign(globalThis, {
    RTCPeerConnection,
    // `pagehide` never comes.
    addEventListener: () => {},
    removeEventListener: () => {},
  });
}
