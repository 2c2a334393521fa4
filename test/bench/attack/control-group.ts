/** A share of the processors for what is not to be measured along (cgroups(7)). */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const V2 = "/sys/fs/cgroup";
const V1 = "/sys/fs/cgroup/cpu";
const PERIOD_US = 100_000;

/** Its processes have ended when it is disposed of. */
export class ControlGroup implements Disposable {
  /** For whoever reads the figures. */
  readonly kind: string;
  readonly #folder: string;

  private constructor(kind: string, folder: string) {
    this.kind = kind;
    this.#folder = folder;
  }

  /** @param cores how much of them it may have; undefined where the system gives no group */
  static make(cores: number): ControlGroup | undefined {
    const name = `sallyport-bench-${process.pid}`;
    const quota = Math.round(cores * PERIOD_US);
    try {
      if (existsSync(join(V2, "cgroup.controllers"))) {
        writeFileSync(join(V2, "cgroup.subtree_control"), "+cpu");
        mkdirSync(join(V2, name));
        writeFileSync(join(V2, name, "cpu.max"), `${quota} ${PERIOD_US}`);
        return new ControlGroup(`cgroup v2, ${cores} of a core`, join(V2, name));
      }
      if (!existsSync(join(V1, "cpu.cfs_quota_us"))) return undefined;
      mkdirSync(join(V1, name));
      writeFileSync(join(V1, name, "cpu.cfs_quota_us"), String(quota));
      return new ControlGroup(`cgroup v1 (this machine has no v2), ${cores} of a core`, join(V1, name));
    } catch {
      return undefined;
    }
  }

  add(pid: number): void {
    writeFileSync(join(this.#folder, "cgroup.procs"), String(pid));
  }

  [Symbol.dispose](): void {
    rmdirSync(this.#folder);
  }
}
