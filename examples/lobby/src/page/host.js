// The host's page: follows what the host says while it runs.
import { showLadder } from "./ladder.js";
import { showInvite } from "./share.js";

const VERDICTS = {
  open: "Everybody can join",
  mapped: "Everybody can join",
  punchable: "Friends with an invite can join",
  "relay-only": "Friends can join through a relay",
  "lan-only": "Only this network can join",
};

const $ = (id) => document.getElementById(id);
const source = new EventSource("host/events");

source.addEventListener("message", ({ data }) => {
  const event = JSON.parse(data);
  if (event.event === "reachability") showReachability(event);
  else if (event.event === "invite") {
    $("lobby").hidden = true;
    showInvite($("passing-on"), event);
    $("local").hidden = !/^(localhost|127\.|\[::1\])/.test(new URL(event.url).hostname);
  } else if (event.event === "lobby") {
    $("lobby").hidden = false;
    $("lobby").textContent = `${event.state === "lost" ? "No lobby for now, trying on" : "No lobby"}: ${event.reason}`;
  } else if (event.event === "joined" || event.event === "left") showPlayer(event);
});
source.addEventListener("open", () => {
  // What was said is said again from its beginning.
  $("players").replaceChildren();
});
source.addEventListener("error", () => {
  $("verdict").dataset.verdict = "gone";
  $("verdict-word").textContent = "The host is not running";
  $("summary").textContent = "Start it again with npm start or npm run host, and open the link that it shows.";
});

$("new-invite").addEventListener("click", () => void takeInviteBack());

async function takeInviteBack() {
  const [button, status] = [$("new-invite"), $("new-invite-status")];
  button.disabled = true;
  status.textContent = "Taking the invite back …";
  try {
    const response = await fetch("host/new-invite", { method: "POST" });
    status.textContent = response.ok
      ? "This is a new invite. The old one leads nowhere any more."
      : `There is no new invite yet: ${await response.text()}`;
  } catch {
    status.textContent = "There is no new invite yet: the host does not answer.";
  } finally {
    button.disabled = false;
  }
}

function showReachability({ verdict, summary, steps }) {
  $("verdict").dataset.verdict = verdict;
  $("verdict-word").textContent = VERDICTS[verdict] ?? verdict;
  $("summary").textContent = summary;
  showLadder($("ladder"), { steps, verdict });
}

function showPlayer({ event, player, players }) {
  const row = document.createElement("li");
  row.dataset.event = event;
  row.textContent = event === "joined" ? `${player} came in` : `${player} left`;
  $("players").prepend(row);
  while ($("players").children.length > 12) $("players").lastChild.remove();
  $("count").textContent = players === 0 ? "nobody in" : players === 1 ? "1 in the game" : `${players} in the game`;
}
