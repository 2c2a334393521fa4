/**
 * Runs `work` in a task of its own, behind what has arrived by now. Pages have no `setImmediate`, and a `setTimeout` of theirs takes 4 ms
 * once it is nested (WHATWG HTML), a second in a tab that nobody looks at; a message to oneself takes no such time.
 */
export const soon: (work: () => void) => void =
  typeof globalThis.setImmediate === "function" ? (work) => void globalThis.setImmediate(work) : byMessage();

function byMessage(): (work: () => void) => void {
  const waiting: (() => void)[] = [];
  const { port1, port2 } = new MessageChannel();
  port1.addEventListener("message", () => waiting.shift()?.());
  port1.start();
  return (work) => {
    waiting.push(work);
    port2.postMessage(null);
  };
}
