// The list of games. The way from an invite into one is in joining.js.
import "./joining.js";

const VERDICTS = {
  open: ["Open", "The host is on the internet directly."],
  mapped: ["Port open", "The host's router lets players in."],
  punchable: ["Punching", "Players get in by a punched hole."],
  "relay-only": ["Relay", "Players get in through a relay."],
  "lan-only": ["Local network", "Only players on the host's network get in."],
};

const $ = (id) => document.getElementById(id);
const list = $("list");
const base = new URL("./", location.href);

// --- The list -----------------------------------------------------------------------------------------------------

function show(games) {
  const shown = new Map([...list.children].map((element) => [element.dataset.game, element]));
  for (const game of games) {
    const element = shown.get(game.id) ?? add(game.id);
    shown.delete(game.id);
    fill(element, game);
  }
  for (const element of shown.values()) element.remove();
  $("empty").hidden = games.length > 0;
  $("count").textContent = games.length > 0 ? `(${games.length})` : "";
}

function add(id) {
  const element = $("game").content.firstElementChild.cloneNode(true);
  element.dataset.game = id;
  list.append(element);
  return element;
}

function fill(element, { name, description, players, maxPlayers, verdict, online }) {
  const set = (selector, text) => {
    const target = element.querySelector(selector);
    if (target.textContent !== text) target.textContent = text;
    return target;
  };
  set("h3", name);
  set(".description", description);
  const [word, title] = VERDICTS[verdict] ?? ["Unknown", "The host has not said how it can be reached."];
  const badge = set(".badge", online ? word : "Away");
  badge.title = online ? title : "The host has lost its connection to this lobby.";
  badge.dataset.verdict = online ? (verdict ?? "") : "";
  set(".players .text", maxPlayers > 0 ? `${players} of ${maxPlayers} players` : `${players} players`);
  element.querySelector(".meter").hidden = !(maxPlayers > 0);
  element.querySelector(".meter span").style.width =
    maxPlayers > 0 ? `${Math.min(100, (100 * players) / maxPlayers)}%` : "0";
}

let waiting;
async function refresh() {
  clearTimeout(waiting);
  try {
    const response = await fetch(new URL("games", base), { signal: AbortSignal.timeout(5000) });
    show(await response.json());
    list.removeAttribute("aria-busy");
  } catch {
    list.setAttribute("aria-busy", "true"); // the lobby may be restarting: keep what we have
  }
  if (!document.hidden) waiting = setTimeout(() => void refresh(), 2000);
}
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) void refresh();
});
$("command").textContent = `npm run host -- --lobby ${base.href}`;
void refresh();
