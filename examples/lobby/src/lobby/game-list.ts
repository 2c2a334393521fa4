/** The list of games as HTML, so that the page is right before any script has run, and without one. */
import type { GameListing } from "sallyport/rendezvous";

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}

/** One entry; the page's script fills in the rest and keeps it up to date. */
export function gameElement(game?: GameListing): string {
  const { id = "", name = "", description = "", players = 0, maxPlayers = 0 } = game ?? {};
  const count = maxPlayers > 0 ? `${players} of ${maxPlayers} players` : `${players} players`;
  return `<li class="panel game" data-game="${escapeHtml(id)}">
    <div class="title"><h3>${escapeHtml(name)}</h3><span class="badge"></span></div>
    <p class="description">${escapeHtml(description)}</p>
    <p class="players"><span class="meter" aria-hidden="true"><span></span></span><span class="text">${count}</span></p>
  </li>`;
}

/** The page with its list and the template from which the script makes further entries. */
export function renderPage(template: string, games: readonly GameListing[]): string {
  // Functions, since a replacement text would have `$` mean something, and names come from strangers.
  return template
    .replace("<!--games-->", () => games.map(gameElement).join(""))
    .replace("<!--game-->", () => gameElement().replace(' data-game=""', ""));
}
