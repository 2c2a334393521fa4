/** Colyseus' log: errors and warnings only, on standard error, without those that {@link listen} explains better. */
export const quietLogger = {
  debug: (): void => undefined,
  info: (): void => undefined,
  trace: (): void => undefined,
  warn: (...message: unknown[]): void => console.error(...message),
  error: (...message: unknown[]): void => {
    if (!/EADDRINUSE|EACCES/.test(String(message[0]))) console.error(...message);
  },
};
