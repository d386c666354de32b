import { expect, test } from 'vitest';
import { readCpuTime } from './process-cpu.ts';

test.runIf(process.platform === 'linux')('the CPU time of a process grows as it works', () => {
  const before = readCpuTime(process.pid);
  const own = process.cpuUsage();
  while (process.cpuUsage(own).user < 300_000) {
    for (let turn = 0; turn < 1e6; turn++) Math.hypot(turn, 2);
  }
  const spent = process.cpuUsage(own);
  const after = readCpuTime(process.pid);
  if (before === undefined || after === undefined) throw new Error('this process is not there');
  expect(Math.abs(after.userMs - before.userMs - spent.user / 1000)).toBeLessThan(60);
  expect(Math.abs(after.systemMs - before.systemMs - spent.system / 1000)).toBeLessThan(60);
});

test('a process that is not there has none', () => {
  expect(readCpuTime(2 ** 30)).toBeUndefined();
});
