/**
 * The long course of `test/cluster-faults.test.ts`: all of its faults, round after round, on one
 * cluster of real processes, with what clients were told printed.
 *
 *     npm run bench:faults -- [rounds]
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const rounds = process.argv[2] ?? '10';
const vitest = join(import.meta.dirname, '../node_modules/vitest/vitest.mjs');
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', 'test/cluster-faults.test.ts', '--disable-console-intercept'],
  { stdio: 'inherit', env: { ...process.env, CACHECTL_FAULT_ROUNDS: rounds } },
);
process.exitCode = status ?? 1;
