// The list of games, and the way from an invite into one.
import { showInvite } from "./share.js";

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

// --- Joining ------------------------------------------------------------------------------------------------------

function say(text, bad = false) {
  $("status").textContent = text;
  $("status").classList.toggle("bad", bad);
}

/** The client is as large as all else together: it comes when it is needed. So does the arena, which predicts with it. */
async function loadClient() {
  // Colyseus' own debug panel, where the page's address asks for it.
  if (new URLSearchParams(location.search).has("debug")) await import("./debug.js");
  const [{ SallyportBrowserClient }, { Arena }] = await Promise.all([import("./sallyport.js"), import("./arena.js")]);
  return { Client: SallyportBrowserClient, Arena };
}

/** From a code, a link, or what stands behind a link's #: the code, and all that belongs to the link. */
function inviteOf(text) {
  const fragment = text.slice(text.lastIndexOf("#") + 1).trim();
  const [written, seal] = fragment.split(".", 2);
  const bare = written.replaceAll(/[\s-]/g, "").toUpperCase();
  if (!/^[2-9A-HJ-NP-Z]{8}$/.test(bare)) return undefined;
  const code = `${bare.slice(0, 4)}-${bare.slice(4)}`;
  return { code, url: new URL(`#${code}${seal ? `.${seal}` : ""}`, base).href };
}

/** Rejects when it takes too long. */
function within(ms, promise) {
  return Promise.race([promise, new Promise((_, reject) => setTimeout(reject, ms, new Error("no answer")))]);
}

/** The host that has this invite, reached through the lobby, and its rooms by WebRTC or WebSocket, whichever gets through. */
async function find(Client, invite) {
  try {
    return await Client.fromInvite(invite.url);
  } catch (error) {
    if (error.code === "unknown-invite" || error.code === "forged") throw error;
    throw new Error(`The lobby did not help: ${error.message}`, { cause: error });
  }
}

async function enter(client, name) {
  try {
    return await within(20000, client.joinOrCreate("arena", { name }));
  } catch (error) {
    const advice =
      location.protocol === "https:"
        ? " Here only WebRTC could reach it: ask its host, or join from a game client."
        : "";
    throw new Error(`The host cannot be reached from here (${error.message}).${advice}`, { cause: error });
  }
}

let arena;
$("join").addEventListener("submit", (event) => {
  event.preventDefault();
  void join(event.submitter ?? $("join").querySelector("button"));
});

async function join(button) {
  const invite = inviteOf($("invite").value);
  if (invite === undefined) {
    say("An invite looks like K7Q2-9FXM, without 0, O, 1 and I.", true);
    $("invite").focus();
    return;
  }
  button.disabled = true;
  say("Asking the lobby …");
  try {
    arena?.leave();
    const { Client, Arena } = await loadClient();
    const client = await find(Client, invite);
    say("Trying a way to the host …");
    const room = await enter(client, $("name").value);
    history.replaceState(null, "", new URL(invite.url).hash);
    showInvite($("passing-on"), invite);
    $("passing-on").hidden = true;
    $("share").ariaExpanded = "false";
    $("arena").hidden = false;
    $("arena-title").textContent = client.host?.name ?? "The arena";
    arena = new Arena(room, {
      canvas: $("field"),
      scores: $("scores"),
      ping: $("ping"),
      network: $("network-panel"),
    });
    arena.onEnd = (reason) => {
      $("arena").hidden = true;
      document.body.classList.remove("playing");
      say(reason);
    };
    say("You are in.");
    document.body.classList.add("playing");
    $("arena").scrollIntoView({ block: "start" });
    $("field").focus({ preventScroll: true });
  } catch (error) {
    say(error.message, true);
  } finally {
    button.disabled = false;
  }
}
$("leave").addEventListener("click", () => arena?.leave());
for (const [button, panel] of [
  ["share", "passing-on"],
  ["network", "network-panel"],
]) {
  $(button).addEventListener("click", () => {
    const isOpen = $(panel).hidden;
    $(panel).hidden = !isOpen;
    $(button).ariaExpanded = String(isOpen);
  });
}

// An invite's link carries the code behind the #.
function readFragment() {
  const invite = inviteOf(location.hash);
  if (invite === undefined || invite.url === inviteOf($("invite").value)?.url) return;
  $("invite").value = location.hash.slice(1);
  say("Press Join to play.");
}
addEventListener("hashchange", readFragment);
readFragment();
