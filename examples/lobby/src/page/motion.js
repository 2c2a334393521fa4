// Where to draw whom. The host says so some twenty times a second, a little late; the eye wants sixty, and now.

/** Others are drawn this long ago, between two positions that are known: two patches of the host, and some jitter. */
const DELAY_MS = 120;
const KEPT_MS = 1500;
/** As the host walks: rules.ts. */
const SPEED = 240;
const RADIUS = 16;
/** This share of what the host knows better is corrected at each word from it; the eye does not see it. */
const CORRECTION = 0.15;
/** Further apart than this is no error of prediction: jump. */
const TELEPORT = 120;

export class Motion {
  roundTripMs = 0;
  /** Oneself, predicted; undefined until the host has said where. */
  own;
  #id;
  #field = { width: 960, height: 600 };
  /** Per player what the host said: `{ at, x, y }`, oldest first. */
  #tracks = new Map();
  /** Where we thought to be, to compare when the host's word on that moment comes. */
  #past = [];

  constructor(ownId) {
    this.#id = ownId;
  }

  learn(state, at) {
    if (state.width > 0) this.#field = { width: state.width, height: state.height };
    for (const id of this.#tracks.keys()) if (!state.players.has(id)) this.#tracks.delete(id);
    state.players?.forEach(({ x, y }, id) => {
      const track = this.#tracks.get(id) ?? [];
      this.#tracks.set(id, track);
      track.push({ at, x, y });
      while (track.length > 2 && track[1].at < at - KEPT_MS) track.shift();
      if (id === this.#id) this.#correct({ x, y }, at);
    });
  }

  /** Oneself, at once: the host will walk the same way when it hears of it. */
  walk(direction, seconds, now) {
    if (!this.own) return;
    const { width, height } = this.#field;
    this.own.x = Math.min(width - RADIUS, Math.max(RADIUS, this.own.x + direction.x * SPEED * seconds));
    this.own.y = Math.min(height - RADIUS, Math.max(RADIUS, this.own.y + direction.y * SPEED * seconds));
    this.#past.push({ at: now, x: this.own.x, y: this.own.y });
    while (this.#past[0].at < now - KEPT_MS) this.#past.shift();
  }

  positionOf(id, now) {
    if (id === this.#id && this.own) return this.own;
    const track = this.#tracks.get(id);
    return track && between(track, now - DELAY_MS);
  }

  #correct(said, at) {
    if (!this.own) {
      this.own = { ...said };
      return;
    }
    // What the host says now is what we did a round trip and a step of its own ago.
    const then = between(this.#past, at - this.roundTripMs - 50) ?? this.own;
    const [dx, dy] = [said.x - then.x, said.y - then.y];
    const share = Math.hypot(dx, dy) > TELEPORT ? 1 : CORRECTION;
    for (const place of [this.own, ...this.#past]) {
      place.x += dx * share;
      place.y += dy * share;
    }
  }
}

/** The place at a moment, on the line between the known ones around it. */
function between(track, at) {
  if (track.length === 0) return undefined;
  let i = track.length - 1;
  while (i > 0 && track[i].at > at) i--;
  const from = track[i];
  const to = track[i + 1] ?? from;
  const share = to.at > from.at ? Math.min(1, Math.max(0, (at - from.at) / (to.at - from.at))) : 0;
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}
