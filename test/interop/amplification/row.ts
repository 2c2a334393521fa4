/** What an address gets that has not proved itself, for what was said to bring that about. Bytes are of UDP's payload, or of what else is named. */
export interface Row {
  what: string;
  /** Bytes that were said, by whomever. */
  said: number;
  /** Bytes that went to the address. */
  got: number;
  /** Where the figure depends on the machine's timers it is rounded up to halves, else to hundredths. */
  timed?: boolean;
  /** What holds it, where it goes on for longer. */
  held: string;
}

/** In one text, the same at each run. */
export function ratioOf({ said, got, timed = false }: Row): string {
  const step = timed ? 2 : 100;
  return String(Math.ceil((got / said) * step - 1e-9) / step);
}
