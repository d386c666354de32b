import { expect, test } from 'vitest';
import { sparkline } from './sparkline.ts';

/** What redis-server 7.0.15 drew for the same samples. */
const DRAWN_BY_REDIS = [' #  ', ' |_ ', 'o|| ', '|||_', '    ', '3210', 'ssss', ''].join('\n');

test('draws what Redis draws', () => {
  const samples = [20, 50, 30, 4].map((value, at) => ({ value, label: `${3 - at}s` }));
  expect(sparkline(samples)).toBe(DRAWN_BY_REDIS);
});

test('draws samples that are all alike as a floor, and long series in blocks of 80', () => {
  const samples = Array.from({ length: 100 }, () => ({ value: 7, label: '1m' }));
  const [first, second] = sparkline(samples).split('\n\n');
  expect(first.split('\n')[3]).toBe('_'.repeat(80));
  expect(second.split('\n').at(3)).toBe('_'.repeat(20));
});
