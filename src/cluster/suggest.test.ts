import fc from 'fast-check';
import { expect, test } from 'vitest';
import { editDistance, suggest } from './suggest.ts';

test.each([
  ['memroy', 'memory'],
  ['max-memory', undefined],
  ['Listen', 'listen'],
  ['polcy', 'policy'],
  ['zzz', undefined],
  ['', undefined],
])('%j means %j', (typed, meant) => {
  expect(suggest(typed, ['memory', 'listen', 'policy', 'data-dir'])).toBe(meant);
});

test('one slip is one step, whatever it is', () => {
  const word = fc.string({ minLength: 2, maxLength: 12 });
  fc.assert(
    fc.property(word, fc.nat(), fc.string({ minLength: 1, maxLength: 1 }), (text, draw, letter) => {
      const at = draw % (text.length - 1);
      const [before, one, two, after] = [
        text.slice(0, at),
        text[at],
        text[at + 1],
        text.slice(at + 2),
      ];
      expect(editDistance(text, text)).toBe(0);
      expect(editDistance(text, before + two + after)).toBe(1);
      expect(editDistance(text, before + one + letter + two + after)).toBe(1);
      expect(editDistance(text, before + two + one + after)).toBe(one === two ? 0 : 1);
    }),
  );
});

test('distance is the same both ways, and no more than the longer word', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (one, other) => {
      expect(editDistance(one, other)).toBe(editDistance(other, one));
      expect(editDistance(one, other)).toBeLessThanOrEqual(Math.max(one.length, other.length));
    }),
  );
});
