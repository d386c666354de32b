/** The real command, started as a process. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const bin = join(import.meta.dirname, '../../bin/cachectl.js');

export interface Started extends AsyncDisposable {
  readonly process: ChildProcess;
  /** Resolves with the first line on stdout that matches; rejects where the process ends before. */
  line(pattern: RegExp): Promise<RegExpExecArray>;
  /** Resolves when the process has ended. */
  ended(): Promise<{ exit: number | null; out: string; words: string }>;
}

export function startCachectl(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Started {
  const child = spawn(process.execPath, [bin, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...environment },
  });
  let out = '';
  let words = '';
  child.stdout.on('data', (chunk) => (out += String(chunk)));
  child.stderr.on('data', (chunk) => (words += String(chunk)));
  const closed = once(child, 'close');
  const ended = async () => {
    await closed;
    return { exit: child.exitCode, out, words };
  };
  const line = async (pattern: RegExp): Promise<RegExpExecArray> => {
    const lines = createInterface(child.stdout);
    for await (const text of lines) {
      const match = pattern.exec(text);
      if (match !== null) return match;
    }
    throw new Error(`no line on stdout matches ${String(pattern)}:\n${(await ended()).words}`);
  };
  const dispose = async () => {
    child.kill('SIGKILL');
    await closed;
  };
  return { process: child, line, ended, [Symbol.asyncDispose]: dispose };
}

/** Sends bytes to a port of 127.0.0.1 and gives what comes back, up to `length` bytes. */
export async function exchange(port: number, bytes: string, length: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  let reply = '';
  for await (const chunk of socket) {
    reply += String(chunk);
    if (reply.length >= length) break;
  }
  return reply;
}
