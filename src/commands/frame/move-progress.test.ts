import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MoveProgress, type ShownMove } from './move-progress.ts';

const MB = 1024 ** 2;

function move(id: number, phase: ShownMove['phase'], copiedBytes = 0, totalBytes = 0): ShownMove {
  return { id, phase, copiedBytes, totalBytes };
}

test('counts bytes over all moves, those that have ended and those to come among them', () => {
  const progress = new MoveProgress(1000);
  progress.saw([move(1, 'pending', 0, 30 * MB), move(2, 'pending', 0, 50 * MB)], 1000);
  expect(progress.words).toBe('░░░░░░░░░░░░░░░░░░░░ 0% 0b of 80mb, 0 of 2 moves are over');
  progress.saw([move(1, 'copying', 20 * MB, 30 * MB), move(2, 'pending', 0, 50 * MB)], 2000);
  expect(progress.words).toBe(
    '█████░░░░░░░░░░░░░░░ 25% 20mb of 80mb, 3s to go, 0 of 2 moves are over',
  );
  // A node that has a copy for good says no more of how it came by it.
  progress.saw([move(1, 'done'), move(2, 'copying', 30 * MB, 50 * MB)], 4000);
  expect(progress.words).toBe(
    '███████████████░░░░░ 75% 60mb of 80mb, 1s to go, 1 of 2 moves are over',
  );
  progress.saw([move(1, 'done'), move(2, 'dropping')], 5000);
  expect(progress.words).toBe('████████████████████ 100% 80mb of 80mb, 1 of 2 moves are over');
  expect(progress.lookAgainMs).toBe(30);
});

test('says only what it knows where nothing is copied', () => {
  const progress = new MoveProgress(0);
  progress.saw([move(1, 'switching'), move(2, 'done')], 10);
  expect(progress.words).toBe('1 of 2 moves are over');
  expect(progress.lookAgainMs).toBe(250);
});

test('is never beyond its end, and looks again in time, whatever nodes say', () => {
  const phases = fc.constantFrom<ShownMove['phase']>(
    ...(['pending', 'copying', 'switching', 'dropping', 'done', 'aborted'] as const),
  );
  const shown = fc.record({ phase: phases, copied: fc.nat(1000), total: fc.nat(1000) });
  fc.assert(
    fc.property(fc.array(fc.array(shown, { minLength: 3, maxLength: 3 })), (looks) => {
      const progress = new MoveProgress(0);
      for (const [at, moves] of looks.entries()) {
        const views = moves.map(({ phase, copied, total }, id) => move(id, phase, copied, total));
        progress.saw(views, at * 100);
        const share = Number(/ (\d+)%/.exec(progress.words)?.[1] ?? 0);
        expect(share).toBeLessThanOrEqual(100);
        expect(progress.lookAgainMs).toBeGreaterThanOrEqual(30);
        expect(progress.lookAgainMs).toBeLessThanOrEqual(250);
      }
    }),
  );
});
