import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { clip } from './live-region.ts';

const RED = '\u001B[31m';
const RESET = '\u001B[0m';

it('leaves as many characters as there is room for, whatever the colours', () => {
  const piece = fc.oneof(
    fc.constantFrom(RED, RESET, '\u001B[1;32m'),
    fc.string({ unit: 'grapheme-ascii' }),
  );
  fc.assert(
    fc.property(fc.array(piece), fc.nat(40), (pieces, columns) => {
      const line = pieces.join('');
      const plain = stripVTControlCharacters(line);
      expect(stripVTControlCharacters(clip(line, columns))).toBe(plain.slice(0, columns));
    }),
  );
});

it('ends no line in colour that it has cut', () => {
  expect(clip(`${RED}abcdef`, 3)).toBe(`${RED}abc${RESET}`);
  expect(clip('abcdef', 3)).toBe('abc');
});
