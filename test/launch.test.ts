import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const launcher = join(import.meta.dirname, '../bin/launch.js');

/** A program that launches another: `replaces` as a Node with `execve` does, else as an older one. */
function launching(program: string, replaces: boolean): string[] {
  const script = `
    import { launch } from ${JSON.stringify(launcher)};
    ${replaces ? '' : 'process.execve = undefined;'}
    launch(process.execPath, ['--eval', ${JSON.stringify(program)}]);`;
  return ['--input-type=module', '--eval', script];
}

test.each([true, false])('hands on output and exit code (execve: %s)', (replaces) => {
  const run = spawnSync(process.execPath, launching('console.log(1); process.exit(7)', replaces), {
    encoding: 'utf8',
  });
  expect(run.stdout).toBe('1\n');
  expect(run.stderr).toBe('');
  expect(run.status).toBe(7);
});

test.each([true, false])('hands on signals, once each (execve: %s)', async (replaces) => {
  const program = `
    let count = 0;
    process.on('SIGTERM', () => { count += 1; setTimeout(() => process.exit(40 + count), 100) });
    setTimeout(() => process.exit(9), 5000);
    console.log('ready');`;
  const child = spawn(process.execPath, launching(program, replaces), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.kill('SIGTERM');
  const [exit] = await once(child, 'exit');
  expect(exit).toBe(41);
});

test('ends as the child did where a signal ended it', () => {
  const run = spawnSync(process.execPath, launching("process.kill(process.pid, 'SIGKILL')", false));
  expect(run.status).toBe(137);
});
