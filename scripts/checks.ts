import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

const PRETTIER_CACHE = ['--cache', '--cache-location', '.cache/prettier'];

/** In the order of their usefulness to someone whose work is refused. */
const CHECKS: ReadonlyArray<readonly [name: string, file: string, ...options: string[]]> = [
  ['types', 'typescript/bin/tsc', '-p', '.'],
  ['lint', 'oxlint/bin/oxlint'],
  ['format', 'prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', ...PRETTIER_CACHE, '.'],
  ['dead code', 'knip/bin/knip.js'],
];

/** Runs the static checks, with their findings on stdout. */
export function runChecks(): { passed: number; failed: number } {
  let passed = 0;
  for (const [name, file, ...options] of CHECKS) {
    const startedMs = performance.now();
    const run = spawnSync(process.execPath, [join(root, 'node_modules', file), ...options], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    console.log(`check: ${name} ${run.status === 0 ? 'ok' : 'FAILED'} (${seconds} s)`);
    if (run.status === 0) passed += 1;
  }
  return { passed, failed: CHECKS.length - passed };
}
