import { matchMaker } from "@colyseus/core";

/**
 * What a request asks of the matchmaker: `create` of `/matchmake/create/arena`, also where the path is written in a roundabout way.
 * Undefined for a path that is none of the matchmaker's.
 * @param url begins with `/`
 */
export function matchmakingMethod(url: string): string | undefined {
  const { pathname } = new URL(`http://host${url}`);
  let path = pathname;
  try {
    path = decodeURIComponent(pathname);
  } catch {
    // Colyseus takes it as it stands.
  }
  const route = `/${matchMaker.controller.matchmakeRoute}/`;
  const at = path.toLowerCase().indexOf(route.toLowerCase());
  return at < 0 ? undefined : path.slice(at + route.length).split("/", 1)[0];
}
