// The rungs of the ladder, from what the host has learnt: what each tries, how it went, and what to do where it is red.

export const RUNGS = [
  {
    steps: ["interfaces"],
    title: "This machine's addresses",
    tries: "A public address needs no help from anybody.",
    remedy: "Connect the network cable or the Wi-Fi.",
  },
  {
    steps: ["pcp"],
    title: "Port by PCP",
    tries: "Asks the router for the port, the newest way.",
    remedy: "Switch PCP or NAT-PMP on in the router's settings, often under “UPnP” or “NAT”.",
  },
  {
    steps: ["nat-pmp"],
    title: "Port by NAT-PMP",
    tries: "The same for Apple's and many open routers.",
    remedy: "Switch NAT-PMP on in the router's settings.",
  },
  {
    steps: ["upnp"],
    title: "Port by UPnP",
    tries: "The way that most home routers know.",
    remedy:
      "Switch UPnP on in the router's settings and allow this machine to open ports; or forward the port there by hand, TCP and UDP.",
  },
  {
    steps: ["stun"],
    title: "Seen from outside",
    tries: "STUN tells which address the internet sees, and what kind of NAT there is.",
    remedy: "Name a STUN server (SALLYPORT_STUN_URLS) or a lobby on the internet; a firewall may drop UDP to it.",
  },
  {
    steps: ["probe"],
    title: "A packet from outside",
    tries: "Proves that the opened port really leads here.",
    remedy:
      "Allow the port, TCP and UDP, in this machine's firewall, and in the provider's router if there is a second one.",
  },
  {
    steps: ["turn"],
    title: "Relay",
    tries: "TURN carries packets where no direct way exists.",
    remedy: "Run the lobby with TURN_URLS and TURN_SECRET, for homes that nothing else reaches.",
  },
];

const MARKS = { ok: "✓", refused: "✗", failed: "✗", absent: "–", skipped: "–" };
const WORDS = { ok: "works", refused: "refused", failed: "failed", absent: "nobody answered", skipped: "not tried" };

/** Any of these makes the other two unnecessary. */
const MAPPERS = ["pcp", "nat-pmp", "upnp"];

/** Fills a list with the rungs that have been climbed, and those that the host is still on. */
export function showLadder(list, { steps, verdict }) {
  const byName = new Map(steps.map((step) => [step.step, step]));
  const isMapped = MAPPERS.some((name) => byName.get(name)?.outcome === "ok");
  const isFine = verdict === "open" || verdict === "mapped";
  for (const { steps: names, title, tries, remedy } of RUNGS) {
    const step = names.map((name) => byName.get(name)).find((found) => found !== undefined);
    let row = list.querySelector(`[data-rung="${names[0]}"]`);
    if (!step) {
      row?.remove();
      continue;
    }
    if (!row) {
      row = document.createElement("li");
      row.dataset.rung = names[0];
      row.innerHTML =
        '<span class="mark" aria-hidden="true"></span><div><h3></h3><p class="reason"></p><p class="remedy"></p></div><span class="outcome"></span>';
      const rank = (name) => RUNGS.findIndex((rung) => rung.steps[0] === name);
      const next = [...list.children].find((other) => rank(other.dataset.rung) > rank(names[0]));
      list.insertBefore(row, next ?? null);
    }
    row.dataset.outcome = step.outcome;
    row.querySelector(".mark").textContent = MARKS[step.outcome];
    row.querySelector("h3").textContent = title;
    row.querySelector("h3").title = tries;
    row.querySelector(".reason").textContent = step.reason;
    const took = step.outcome === "skipped" ? "" : `, ${Math.round(step.ms)} ms`;
    row.querySelector(".outcome").textContent = `${WORDS[step.outcome]}${took}`;
    const isNeeded = step.outcome !== "ok" && !isFine && !(isMapped && MAPPERS.includes(step.step));
    row.querySelector(".remedy").textContent = isNeeded && step.outcome !== "skipped" ? `What to do: ${remedy}` : "";
  }
}
