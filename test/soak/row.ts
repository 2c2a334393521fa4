/** How much of everything. */
export interface SoakSizes {
  /** How often each cell of `terminal` runs. */
  times: number;
  /** Hostile datagrams, of `datagrams`. */
  datagrams: number;
  /** Hostile requests to host and lobby each, of `requests`. */
  requests: number;
  /** How long players come and go, of `visitors`. */
  minutes: number;
}

/** What `npm run soak` does by itself; SECURITY.md takes the figures of no smaller run. */
export const WHOLE: SoakSizes = { times: 20, datagrams: 1_000_000, requests: 20_000, minutes: 60 };

/** What one line of the table says. */
export interface SoakResult {
  what: string;
  passed: number;
  failed: number;
  /** Of the failures. */
  detail?: string;
  /** What was seen, for SECURITY.md. */
  figures?: string;
}

/** A file of this folder: something that must not fail once in many times, or after a long time. */
export interface SoakModule {
  /** Results as they come. */
  soak(sizes: SoakSizes): AsyncIterable<SoakResult>;
}
