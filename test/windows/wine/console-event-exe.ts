import { executable } from "./executable.ts";

/** What a console tells the programs in it (`SetConsoleCtrlHandler`). */
export const CONSOLE_EVENTS = { break: 1, close: 2 } as const;

/**
 * Tells a program of a console's event as Windows does: by a thread in it that begins at `CtrlRoutine`. Wine's own way is not Windows':
 * its server ends a program at Ctrl-Break without asking it (`server/console.c`), and knows no closed window. Exit code 1: it could not.
 */
export function consoleEventExe(pid: number, event: keyof typeof CONSOLE_EVENTS): Uint8Array {
  return executable({
    imports: ["GetModuleHandleA", "GetProcAddress", "OpenProcess", "CreateRemoteThread", "ExitProcess"],
    texts: { library: "kernelbase.dll", routine: "CtrlRoutine" },
    code: (to) => {
      to.put(0x48, 0x83, 0xec, 0x48); // sub rsp, 0x48
      to.put(0x48, 0x8d, 0x0d); // lea rcx, library
      to.text("library");
      to.call("GetModuleHandleA");
      to.put(0x48, 0x89, 0xc1); // mov rcx, rax
      to.put(0x48, 0x8d, 0x15); // lea rdx, routine
      to.text("routine");
      to.call("GetProcAddress");
      to.put(0x48, 0x89, 0xc3); // mov rbx, rax
      to.put(0xb9, 0xff, 0xff, 0x1f, 0); // mov ecx, PROCESS_ALL_ACCESS
      to.put(0x31, 0xd2); // xor edx, edx
      to.put(0x41, 0xb8); // mov r8d, pid
      to.long(pid);
      to.call("OpenProcess");
      to.put(0x48, 0x89, 0xc1); // mov rcx, rax
      to.put(0x31, 0xd2); // xor edx, edx
      to.put(0x45, 0x31, 0xc0); // xor r8d, r8d
      to.put(0x49, 0x89, 0xd9); // mov r9, rbx
      to.put(0x48, 0xc7, 0x44, 0x24, 0x20); // mov qword [rsp+0x20], event
      to.long(CONSOLE_EVENTS[event]);
      to.put(0x48, 0xc7, 0x44, 0x24, 0x28, 0, 0, 0, 0); // mov qword [rsp+0x28], 0
      to.put(0x48, 0xc7, 0x44, 0x24, 0x30, 0, 0, 0, 0); // mov qword [rsp+0x30], 0
      to.call("CreateRemoteThread");
      to.put(0x31, 0xc9); // xor ecx, ecx
      to.put(0x48, 0x85, 0xc0); // test rax, rax
      to.put(0x0f, 0x94, 0xc1); // sete cl
      to.call("ExitProcess");
    },
  });
}
