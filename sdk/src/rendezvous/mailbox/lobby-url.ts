import { RendezvousError } from "../wire/errors.ts";

/** Checks and normalises a lobby's URL. @throws RendezvousError `invalid` */
export function parseLobbyUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new RendezvousError(
      "invalid",
      `The lobby's address must be a URL such as https://lobby.example, not ${text}`,
    );
  }
  return url.origin + url.pathname;
}
