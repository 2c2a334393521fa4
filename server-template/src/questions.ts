/** What is asked on a terminal. Ctrl-C answers everything: nothing has been written then. */
import { cancel, confirm, isCancel, select, text } from "@clack/prompts";
import { EXIT, Failure } from "./failure.ts";
import { nameProblem, suggestName } from "./name.ts";

export async function askFolder(): Promise<string> {
  const answer = await text({
    message: "What is your game called?",
    placeholder: "my-game",
    defaultValue: "my-game",
    validate: (value) => {
      if (value === undefined || value === "" || value === ".") return undefined;
      const problem = nameProblem(value);
      return problem === undefined
        ? undefined
        : `A package cannot be called so (${problem}). Try ${suggestName(value)}.`;
    },
  });
  return answered(answer);
}

export async function askTemplate(names: readonly string[]): Promise<string> {
  return answered(
    await select({ message: "What do you start from?", options: names.map((name) => ({ value: name, label: name })) }),
  );
}

export async function ask(message: string, initialValue: boolean): Promise<boolean> {
  return answered(await confirm({ message, initialValue }));
}

function answered<T>(answer: T): Exclude<T, symbol> {
  if (!isCancel(answer)) return answer as Exclude<T, symbol>;
  cancel("Nothing was written.");
  throw new Failure("", EXIT.usage);
}
