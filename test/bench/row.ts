/** One figure of `npm run bench`. */
export interface BenchRow {
  what: string;
  /** As measured, with its unit, and the peer's beside it where there is one. */
  value: string;
  target: string;
  met: boolean;
  /** How it was measured, or why it was missed. */
  detail?: string;
}

/** A file of this folder that measures. */
export interface BenchModule {
  rows(): Promise<BenchRow[]>;
}
