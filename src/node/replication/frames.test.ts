import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OutputBuffer } from '../../runtime/index.ts';
import { FRAME_BYTES_MAX, FrameReader, writeFrame, type FrameArgument } from './frames.ts';

type Saying = readonly [string, ...FrameArgument[]];

const sayings = fc.array(
  fc.tuple(
    fc.constantFrom('DATA', 'ITEMS', 'ACK'),
    fc.array(fc.oneof(fc.nat(), fc.string(), fc.uint8Array({ maxLength: 300 })), { maxLength: 12 }),
  ),
  { minLength: 1, maxLength: 5 },
);

function written(frames: readonly Saying[]): Buffer {
  const out = new OutputBuffer(16);
  for (const frame of frames) writeFrame(out, frame);
  return Buffer.from(out.view());
}

/** What a reader makes of these bytes, cut at these places: frames as octets, and its complaint. */
function read(bytes: Uint8Array, cuts: readonly number[] = []) {
  const frames: string[][] = [];
  const reader = new FrameReader(FRAME_BYTES_MAX, (frame) => {
    const parts = Array.from({ length: frame.count }, (_, index) => frame.bytes(index));
    frames.push(parts.map((part) => Buffer.from(part).toString('latin1')));
    return undefined;
  });
  const ends = [...cuts, bytes.length].map((cut) => Math.min(cut, bytes.length));
  let start = 0;
  for (const end of ends.toSorted((a, b) => a - b)) {
    const words = reader.push(Buffer.from(bytes.subarray(start, end)), 0, end - start);
    if (words !== undefined) return { frames, words };
    start = end;
  }
  return { frames, words: undefined };
}

const octetsOf = (argument: FrameArgument): string =>
  (typeof argument === 'object' ? Buffer.from(argument) : Buffer.from(`${argument}`)).toString(
    'latin1',
  );

describe('frames', () => {
  test('arrive as they were said, wherever the bytes are cut', () => {
    const property = fc.property(sayings, fc.array(fc.nat(2000)), (said, cuts) => {
      const frames = said.map(([name, args]): Saying => [name, ...args]);
      const expected = frames.map((frame) => frame.map(octetsOf));
      expect(read(written(frames), cuts)).toEqual({ frames: expected, words: undefined });
    });
    fc.assert(property, { numRuns: 500 });
  });

  test('that were altered in one byte are not taken, nor is any after them', () => {
    const property = fc.property(
      sayings,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (said, place, flip) => {
        const frames = said.map(([name, args]): Saying => [name, ...args]);
        const bytes = written(frames);
        const at = place % bytes.length;
        const lengths = frames.map((frame) => written([frame]).length);
        let before = 0;
        let end = 0;
        while (end + lengths[before] <= at) end += lengths[before++];
        bytes[at] ^= flip;
        const taken = read(bytes).frames;
        expect(taken).toEqual(frames.slice(0, before).map((frame) => frame.map(octetsOf)));
      },
    );
    fc.assert(property, { numRuns: 3000 });
  });
});
