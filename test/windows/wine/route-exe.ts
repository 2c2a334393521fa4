import { executable } from "./executable.ts";

/** In place of the `ROUTE.EXE` that Wine lacks: prints what stands in `C:\route.txt`, up to 64 KiB. */
export function routeExe(): Uint8Array {
  return executable({
    imports: ["CreateFileA", "ReadFile", "GetStdHandle", "WriteFile", "ExitProcess"],
    texts: { file: "C:\\route.txt" },
    code: (to) => {
      to.put(0x48, 0x83, 0xec, 0x48); // sub rsp, 0x48
      to.put(0x48, 0x8d, 0x0d); // lea rcx, file
      to.text("file");
      to.put(0xba, 0, 0, 0, 0x80); // mov edx, GENERIC_READ
      to.put(0x41, 0xb8, 3, 0, 0, 0); // mov r8d, FILE_SHARE_READ | FILE_SHARE_WRITE
      to.put(0x45, 0x31, 0xc9); // xor r9d, r9d
      to.put(0x48, 0xc7, 0x44, 0x24, 0x20, 3, 0, 0, 0); // mov qword [rsp+0x20], OPEN_EXISTING
      to.put(0x48, 0xc7, 0x44, 0x24, 0x28, 0, 0, 0, 0); // mov qword [rsp+0x28], 0
      to.put(0x48, 0xc7, 0x44, 0x24, 0x30, 0, 0, 0, 0); // mov qword [rsp+0x30], 0
      to.call("CreateFileA");
      const transfer = (name: "ReadFile" | "WriteFile"): void => {
        to.put(0x48, 0x89, 0xc1); // mov rcx, rax
        to.put(0x48, 0x8d, 0x15); // lea rdx, buffer
        to.buffer();
        if (name === "ReadFile")
          to.put(0x41, 0xb8, 0, 0, 1, 0); // mov r8d, the buffer's size
        else {
          to.put(0x44, 0x8b, 0x05); // mov r8d, [count]
          to.count();
        }
        to.put(0x4c, 0x8d, 0x0d); // lea r9, count
        to.count();
        to.put(0x48, 0xc7, 0x44, 0x24, 0x20, 0, 0, 0, 0); // mov qword [rsp+0x20], 0
        to.call(name);
      };
      transfer("ReadFile");
      to.put(0xb9, 0xf5, 0xff, 0xff, 0xff); // mov ecx, STD_OUTPUT_HANDLE
      to.call("GetStdHandle");
      transfer("WriteFile");
      to.put(0x31, 0xc9); // xor ecx, ecx
      to.call("ExitProcess");
    },
  });
}
