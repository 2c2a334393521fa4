/** What share and join say alike. */
import type { SessionPathKind } from "../session/path.ts";

const PATHS: Readonly<Record<SessionPathKind, string>> = {
  direct: "directly connected",
  punched: "directly connected, through both routers",
  relayed: "connected through a relay, as no direct path was found",
};

export function describePath(path: SessionPathKind): string {
  return PATHS[path];
}
