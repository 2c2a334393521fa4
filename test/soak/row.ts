/** What one line of the table says. */
export interface SoakResult {
  what: string;
  passed: number;
  failed: number;
  /** Of the failures. */
  detail?: string;
}

/** A file of this folder: something that must not fail once in many times. */
export interface SoakModule {
  /** Results as they come. @param times how often each thing is done */
  soak(times: number): AsyncIterable<SoakResult>;
}
