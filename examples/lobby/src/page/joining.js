// The way from an invite into a game: on a lobby's page, and on one that any static host serves.
import { settings } from "./settings.js";
import { showInvite } from "./share.js";

const $ = (id) => document.getElementById(id);
const base = new URL("./", location.href);

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
  const fragment = text
    .replace(/^sallyport:/, "")
    .slice(text.lastIndexOf("#") + 1)
    .trim();
  const [written, ...sealed] = fragment.split(".");
  const bare = written.replaceAll(/[\s-]/g, "").toUpperCase();
  if (!/^[2-9A-HJ-NP-Z]{8}(?:[2-9A-HJ-NP-Z]{4})?$/.test(bare)) return undefined;
  const code = bare.match(/.{4}/g).join("-");
  return { code, isPublic: bare.length > 8, url: new URL(`#${[code, ...sealed].join(".")}`, base).href };
}

/** `localhost` is somebody else's own computer: the lobby says how this network knows it. */
async function forOthers(url) {
  if (!["localhost", "127.0.0.1", "[::1]"].includes(location.hostname)) return url;
  try {
    const { network } = await (await fetch(new URL("connectivity", base))).json();
    return network === undefined ? url : new URL(new URL(url).hash, network).href;
  } catch {
    return url;
  }
}

/** Rejects when it takes too long. */
function within(ms, promise) {
  return Promise.race([promise, new Promise((_, reject) => setTimeout(reject, ms, new Error("no answer")))]);
}

/** The host that has this invite, reached through the lobby, and its rooms by WebRTC or WebSocket, whichever gets through. */
async function find(Client, invite) {
  try {
    return await Client.fromInvite(invite.url, { ...settings, relayOnly: $("hide").checked });
  } catch (error) {
    if (invite.isPublic || ["unknown-invite", "forged", "no-relay"].includes(error.code)) throw error;
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
    say(`An invite looks like ${$("invite").placeholder}, without 0, O, 1 and I.`, true);
    $("invite").focus();
    return;
  }
  button.disabled = true;
  say(invite.isPublic ? "Asking the host …" : "Asking the lobby …");
  try {
    arena?.leave();
    const { Client, Arena } = await loadClient();
    const client = await find(Client, invite);
    say("Trying a way to the host …");
    const room = await enter(client, $("name").value);
    history.replaceState(null, "", new URL(invite.url).hash);
    showInvite($("passing-on"), { ...invite, url: await forOthers(invite.url) });
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
