/** What one can start from. Each has a folder of its name in templates/; a new one is a folder and an entry here. */

export interface Template {
  /** As a question offers it. */
  title: string;
  /** What the finished project is called when somebody speaks of it: "Your game stands in …". */
  noun: string;
  /** Stands for the project's name in the template's texts, and is offered as one. */
  placeholder: string;
  /** Whether its `.env` has LOBBY_URL=public to switch on: invites through public relays. */
  hasInvites: boolean;
}

/** The first is the default. */
export const TEMPLATES: Readonly<Record<string, Template>> = {
  arena: {
    title: "a game: room, page, players in Node and browser, tests",
    noun: "game",
    placeholder: "my-game",
    hasInvites: true,
  },
  lobby: {
    title: "a lobby of your own: list, page, STUN and TURN in one process",
    noun: "lobby",
    placeholder: "my-lobby",
    hasInvites: false,
  },
};

export const DEFAULT_TEMPLATE = "arena";
