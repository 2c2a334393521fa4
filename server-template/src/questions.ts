/** What is asked on a terminal. Ctrl-C answers everything: nothing has been written then. */
import { cancel, confirm, isCancel, select, text } from "@clack/prompts";
import { EXIT, Failure } from "./failure.ts";
import { nameProblem, suggestName } from "./name.ts";
import type { Template } from "./templates.ts";

export async function askFolder(noun: string, name: string): Promise<string> {
  const answer = await text({
    message: `What is your ${noun} called?`,
    placeholder: name,
    defaultValue: name,
    validate: (value) => {
      if (value === undefined || value === "" || value === ".") return undefined;
      const problem = nameProblem(value);
      return problem === undefined
        ? undefined
        : `A package cannot be called so (${problem}). Try ${suggestName(value, name)}.`;
    },
  });
  return answered(answer);
}

export async function askTemplate(templates: Readonly<Record<string, Template>>): Promise<string> {
  const options = Object.entries(templates).map(([value, { title }]) => ({ value, label: value, hint: title }));
  return answered(await select({ message: "What do you start from?", options }));
}

export async function ask(message: string, initialValue: boolean): Promise<boolean> {
  return answered(await confirm({ message, initialValue }));
}

function answered<T>(answer: T): Exclude<T, symbol> {
  if (!isCancel(answer)) return answer as Exclude<T, symbol>;
  cancel("Nothing was written.");
  throw new Failure("", EXIT.usage);
}
