/** sysexits.h: the command was used wrongly; something that it needs is not there; an output file cannot be made. */
export const EXIT = { usage: 64, unavailable: 69, cannotCreate: 73 } as const;

/** What went wrong and what the person can do. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}
