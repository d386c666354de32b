import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import {
  cut,
  cuts,
  latin1,
  multibulk,
  mutatedStream,
  SMALL_LIMITS,
  stream,
  transcriptOf,
} from './test-support.ts';

describe('a stream of bytes', () => {
  test('gives the same requests and errors, however it is cut', () => {
    fc.assert(
      fc.property(fc.oneof(stream, mutatedStream), cuts, (bytes, fractions) => {
        const whole = transcriptOf([bytes], SMALL_LIMITS);
        expect(transcriptOf(cut(bytes, fractions), SMALL_LIMITS)).toEqual(whole);
      }),
      { numRuns: 3000 },
    );
  });

  test('gives the same requests and errors byte by byte', () => {
    fc.assert(
      fc.property(fc.oneof(stream, mutatedStream), (bytes) => {
        const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
        expect(transcriptOf(single, SMALL_LIMITS)).toEqual(transcriptOf([bytes], SMALL_LIMITS));
      }),
      { numRuns: 500 },
    );
  });

  test('gives the same requests where the connection takes only some of each piece', () => {
    fc.assert(
      fc.property(stream, cuts, fc.integer({ min: 0, max: 3 }), (bytes, fractions, most) => {
        const whole = transcriptOf([bytes], SMALL_LIMITS);
        expect(transcriptOf(cut(bytes, fractions), SMALL_LIMITS, most)).toEqual(whole);
      }),
      { numRuns: 1000 },
    );
  });

  test('of whole requests gives exactly those', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.string({ maxLength: 30 }), { minLength: 1 })),
        cuts,
        (requests, fractions) => {
          const ascii = requests.map((args) => args.map((arg) => arg.replaceAll(/[^\0-~]/g, '?')));
          const bytes = latin1(ascii.map((args) => multibulk(...args)).join(''));
          expect(transcriptOf(cut(bytes, fractions))).toEqual(ascii);
        },
      ),
    );
  });
});
