/** `cachectl dev` as a person has it: on a terminal, which `script` provides. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { exchange } from './support/cachectl.ts';
import { freePort } from './support/redis-server.ts';

const BIN = join(import.meta.dirname, '../bin/cachectl.js');
const hasTerminal = spawnSync('script', ['--version']).error === undefined;
const SHOW_CURSOR = '\u001B[?25h';

interface Session extends AsyncDisposable {
  readonly script: ChildProcess;
  readonly port: number;
  /** All that came, with its escapes. */
  output(): string;
  until(words: string | RegExp): Promise<void>;
  press(keys: string): void;
  /** Of `cachectl dev` itself. */
  pid(): number;
}

async function startSession(): Promise<Session> {
  let port = 65_535;
  while (port > 55_000) port = await freePort();
  const dev = `exec '${process.execPath}' '${BIN}' dev --base-port ${port} --meta 1 --nodes 2 --memory 32mb`;
  const script = spawn('script', ['-qec', `stty rows 40 cols 100; ${dev}`, '/dev/null'], {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], TERM: 'xterm', SHELL: '/bin/sh' },
  });
  let output = '';
  script.stdout.on('data', (chunk) => (output += String(chunk)));
  const ended = once(script, 'close');
  const has = (words: string | RegExp) => {
    const text = stripVTControlCharacters(output);
    return typeof words === 'string' ? text.includes(words) : words.test(text);
  };
  const until = async (words: string | RegExp) => {
    while (!has(words)) {
      if (script.exitCode !== null) throw new Error(`it ended without ${String(words)}: ${output}`);
      await once(script.stdout, 'data');
    }
  };
  const children = (pid: number) =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
  return {
    script,
    port,
    output: () => output,
    until,
    press: (keys) => script.stdin.write(keys),
    pid: () => children(script.pid ?? 0)[0],
    [Symbol.asyncDispose]: async () => {
      script.kill('SIGKILL');
      await ended;
    },
  };
}

async function untilRefused(port: number): Promise<void> {
  for (;;) {
    const answer = await exchange(port, 'PING\r\n', 7).catch(() => undefined);
    if (answer === undefined) return;
  }
}

const leftovers = (pid: number) =>
  readdirSync(tmpdir()).filter((name) => name.startsWith(`cachectl-dev-${pid}-`));

describe.skipIf(!hasTerminal)('cachectl dev on a terminal', () => {
  test('shows a killed primary, who took over and how fast, and its return', async () => {
    await using session = await startSession();
    await session.until(/64: 64 healthy[^]*q quit/);
    session.press('t');
    await session.until(/[1-9]\d*\/s done/);
    session.press('k');
    await session.until(/n\d was killed/);
    await session.until(
      /\d+ shards of n\d failed over \d+\.\d\d s after it was killed; \d+ writes/,
    );
    session.press('r');
    await session.until(/n\d has started again/);
    await session.until(/rebalancing: \d+ moves/);
    const pid = session.pid();
    session.press('q');
    await once(session.script, 'close');
    expect(session.script.exitCode).toBe(0);
    expect(session.output()).toMatch(/Stopped\.\r\n$/);
    expect(session.output().lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(0);
    await untilRefused(session.port);
    expect(leftovers(pid)).toEqual([]);
  }, 90_000);

  test('has a node that is cut off replaced, and takes it back', async () => {
    await using session = await startSession();
    await session.until(/64: 64 healthy[^]*q quit/);
    session.press('p');
    await session.until(/n\d was cut off/);
    await session.until(/down, cut off/);
    await session.until(/failed over \d+\.\d\d s after it was cut off/);
    await session.until(/node\.return node n\d/);
    await session.until(/rebalancing: \d+ moves/);
    session.press('\u0003');
    await once(session.script, 'close');
    expect(session.script.exitCode).toBe(0);
  }, 90_000);

  test('gives the terminal back and leaves nothing behind when it is asked to end', async () => {
    await using session = await startSession();
    await session.until(/64: 64 healthy[^]*q quit/);
    const pid = session.pid();
    // A frozen one is woken up, to end as well.
    session.press('f');
    await session.until(/n\d was frozen/);
    process.kill(pid, 'SIGTERM');
    await once(session.script, 'close');
    expect(session.output()).toMatch(/Stopped\.\r\n$/);
    expect(session.output().lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(0);
    await untilRefused(session.port);
    await untilRefused(session.port + 1);
    expect(leftovers(pid)).toEqual([]);
  }, 90_000);
});
