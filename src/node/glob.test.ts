import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { globMatcher } from './glob.ts';

function matches(pattern: string, text: string, ignoreCase = false): boolean {
  return globMatcher(Buffer.from(pattern, 'latin1'), { ignoreCase })(Buffer.from(text, 'latin1'));
}

/** By definition, for patterns of letters, `?` and `*`. */
function matchesByDefinition(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  const rest = pattern.slice(1);
  if (pattern[0] === '*') {
    return (
      matchesByDefinition(rest, text) ||
      (text !== '' && matchesByDefinition(pattern, text.slice(1)))
    );
  }
  const fits = text !== '' && (pattern[0] === '?' || pattern[0] === text[0]);
  return fits && matchesByDefinition(rest, text.slice(1));
}

describe('a glob pattern', () => {
  it('matches as its parts say, wherever the stars are', () => {
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '?', '*', '*'), maxLength: 7 });
    const text = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(pattern, text, (one, other) => {
        expect(matches(one, other)).toBe(matchesByDefinition(one, other));
      }),
      { numRuns: 3000 },
    );
  });

  it('matches part of an array by itself', () => {
    const bytes = Buffer.from('xxabcyy');
    expect(globMatcher(Buffer.from('a*c'))(bytes, 2, 5)).toBe(true);
    expect(globMatcher(Buffer.from('a*c'))(bytes, 2, 6)).toBe(false);
  });

  it.for([
    ['[a-c]', 'b', true],
    ['[c-a]', 'b', true],
    ['[^a-c]', 'b', false],
    ['[^a-c]', 'd', true],
    ['[]', 'a', false],
    ['[^]', 'a', true],
    ['[a', 'a', true],
    ['[abc', 'c', true],
    ['[\\]]', ']', true],
    ['[a-]', 'a', true],
    ['[a-]', '^', true],
    ['\\*', '*', true],
    ['\\*', 'x', false],
    ['a\\', 'a\\', true],
    ['[\x00-\x7f]', '\x80', false],
    ['[\xff-a]', '\0', true],
    ['', '', true],
    ['*', '', true],
    ['**', '', false],
    ['?', '', false],
    ['\0', '\0', true],
  ] as const)('%j on %j: %s', ([pattern, text, expected]) => {
    expect(matches(pattern, text)).toBe(expected);
  });

  it('takes letters in either case where that is asked for', () => {
    expect(matches('MaxMem*[A-P]', 'maxmemory-samp', true)).toBe(true);
    expect(matches('[^a]', 'A', true)).toBe(false);
    expect(matches('a', 'A')).toBe(false);
    expect(matches('@', '`', true)).toBe(false);
  });

  it('takes no more steps than pattern times text', () => {
    const pattern = `${'a*'.repeat(2000)}b`;
    expect(matches(pattern, 'a'.repeat(5000))).toBe(false);
  });
});
