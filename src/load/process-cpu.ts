/** What a process on this machine has spent, from Linux' `/proc/PID/stat` (proc_pid_stat(5)). */
import { readFileSync } from 'node:fs';

export interface CpuTime {
  /** In the process' own code. */
  readonly userMs: number;
  /** In the kernel, on its behalf. */
  readonly systemMs: number;
}

/** Linux reports to user space in ticks of 10 ms, whatever the kernel's own. */
const TICK_MS = 10;

/** Undefined where there is no such process here, or no such file system. */
export function readCpuTime(pid: number): CpuTime | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The second field is the program's name in parentheses, and may hold spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { userMs: Number(fields[11]) * TICK_MS, systemMs: Number(fields[12]) * TICK_MS };
}
