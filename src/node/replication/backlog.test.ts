import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Backlog, BacklogPool } from './backlog.ts';

/** More than a chunk of the largest kind, so that those that went are used again. */
const BUDGET = 200 * 1024;

test('backlogs that share a budget hold what was appended last, whatever memory it lies in', () => {
  const steps = fc.array(
    fc.record({ of: fc.nat(2), length: fc.integer({ min: 1, max: 70_000 }) }),
    {
      minLength: 20,
      maxLength: 60,
    },
  );
  const property = fc.property(steps, (appended) => {
    const drops: Array<readonly [Backlog, number]> = [];
    const pool = new BacklogPool(BUDGET, (backlog, offset) => drops.push([backlog, offset]));
    const backlogs = [0, 1, 2].map(() => new Backlog(pool, 0));
    const written: number[][] = backlogs.map(() => []);
    for (const [step, { of, length }] of appended.entries()) {
      const backlog = backlogs[of];
      backlog.append(length);
      backlog.bytes.fill(step, backlog.at, backlog.at + length);
      for (let i = 0; i < length; i++) written[of].push(step);
      for (const [dropped, offset] of drops.splice(0))
        expect(dropped.start).toBeGreaterThanOrEqual(offset);
      expect(pool.bytesUsed).toBeLessThanOrEqual(BUDGET + 70_000);
    }
    for (const [of, backlog] of backlogs.entries()) {
      const kept: Buffer[] = [];
      let at = backlog.start;
      while (backlog.read(at)) {
        const { readBytes, readStart, readEnd } = backlog;
        kept.push(Buffer.from(readBytes.subarray(readStart, readEnd)));
        at += readEnd - readStart;
      }
      expect(at).toBe(backlog.end);
      const expected = Buffer.from(written[of].slice(backlog.start));
      expect(Buffer.concat(kept).equals(expected)).toBe(true);
    }
  });
  fc.assert(property, { numRuns: 60 });
});
