// The list of games, and the way from an invite into one: the game's own page, where there is one (README.md), else its client.
const REFRESH_MS = 3000;
const $ = (id) => document.getElementById(id);
const base = new URL("./", location.href);

const { name, plays } = await (await fetch(new URL("lobby.json", base))).json();
document.title = name;
$("name").textContent = name;

function show(games) {
  $("empty").hidden = games.length > 0;
  $("games").replaceChildren(
    ...games.map((game) => {
      const item = $("game").content.firstElementChild.cloneNode(true);
      const of = game.maxPlayers > 0 ? ` of ${game.maxPlayers}` : "";
      item.querySelector("h2").textContent = game.name;
      item.querySelector(".description").textContent = game.description ?? "";
      item.querySelector(".players").textContent = `${game.players}${of} players${game.online ? "" : ", host away"}`;
      return item;
    }),
  );
}

let waiting;
async function refresh() {
  clearTimeout(waiting);
  try {
    const answer = await fetch(new URL("games", base), { signal: AbortSignal.timeout(5000) });
    show(await answer.json());
  } catch {
    // The lobby may be restarting: what is shown stays.
  }
  if (!document.hidden) waiting = setTimeout(() => void refresh(), REFRESH_MS);
}
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) void refresh();
});

/** What stands behind a link's #, or was typed. */
function open(text) {
  const invite = text.slice(text.lastIndexOf("#") + 1).trim();
  if (invite === "") return;
  if (plays) location.href = new URL(`play/#${invite}`, base).href;
  else $("status").textContent = `Give this invite to your game: ${invite.split(".", 1)[0]}, or the whole link.`;
}
$("join").addEventListener("submit", (event) => {
  event.preventDefault();
  open($("invite").value);
});
addEventListener("hashchange", () => open(location.hash));
open(location.hash);
void refresh();
