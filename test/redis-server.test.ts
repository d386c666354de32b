/** A run of tests that is killed leaves no server behind. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { redisServerIsMissing } from './support/redis-server.ts';

const SUPPORT = join(import.meta.dirname, 'support/redis-server.ts');
const STARTS_ONE = `
  const { startRedisServer } = await import(${JSON.stringify(SUPPORT)});
  const { pid } = await startRedisServer();
  console.log(pid);
  setInterval(() => {}, 1000);
`;

/** Killed processes stay in the table until whoever adopted them has noticed. */
function runs(pid: number): boolean {
  if (!existsSync(`/proc/${pid}/stat`)) return false;
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

it.skipIf(redisServerIsMissing())(
  'ends the redis-server of a test run that is killed outright',
  async () => {
    const tests = spawn(process.execPath, ['--input-type=module', '-e', STARTS_ONE], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface(tests.stdout), 'line')) as [string];
    const pid = Number(line);
    expect(runs(pid)).toBe(true);
    tests.kill('SIGKILL');
    await once(tests, 'exit');
    while (runs(pid)) await new Promise((resolve) => setTimeout(resolve, 10));
  },
);
