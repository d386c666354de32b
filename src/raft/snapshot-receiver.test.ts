import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SnapshotReceiver } from './snapshot-receiver.ts';
import { configurationOf } from './testing/solo.ts';
import { asClusterId, asIndex, asPeerId, asTerm } from './types.ts';
import type { SnapshotChunk, SnapshotMetadata } from './types.ts';

function describeBytes(bytes: Uint8Array, index = 7): SnapshotMetadata {
  return {
    index: asIndex(index),
    term: asTerm(2),
    configuration: configurationOf('a b c'),
    sizeBytes: bytes.length,
    checksum: crc32(bytes),
  };
}

function chunk(snapshot: SnapshotMetadata, offset: number, bytes: Uint8Array): SnapshotChunk {
  const envelope = {
    cluster: asClusterId('test'),
    from: asPeerId('b'),
    to: asPeerId('a'),
    term: asTerm(3),
  };
  return { ...envelope, kind: 'snapshotChunk', snapshot, offset, bytes };
}

const content = fc.uint8Array({ maxLength: 60 });

describe('a snapshot that comes in pieces', () => {
  test('is complete when all its bytes have come, whatever came late, twice or not at all', () => {
    fc.assert(
      fc.property(
        content,
        fc.array(fc.nat(70)),
        fc.integer({ min: 1, max: 9 }),
        (bytes, jumps, size) => {
          const receiver = new SnapshotReceiver();
          const snapshot = describeBytes(bytes);
          const written: number[] = [];
          let wanted = 0;
          // First pieces of any offset, then always the one that was asked for.
          for (let turn = 0; turn < jumps.length + 100; turn++) {
            const offset = Math.min(jumps[turn] ?? wanted, bytes.length);
            const result = receiver.take(
              chunk(snapshot, offset, bytes.subarray(offset, offset + size)),
            );
            if (result.kind !== 'refused') {
              expect(result.chunk.offset).toBe(written.length);
              written.push(...result.chunk.bytes);
            }
            if (result.kind === 'complete') {
              expect(written).toEqual([...bytes]);
              return;
            }
            wanted = result.nextOffset;
            expect(wanted).toBe(written.length);
          }
          expect.unreachable('it is asked for until it is complete');
        },
      ),
    );
  });

  test('is asked for anew when its checksum does not come out', () => {
    const bytes = new Uint8Array([1, 2, 3, 4]);
    const snapshot = describeBytes(bytes);
    const receiver = new SnapshotReceiver();
    expect(receiver.take(chunk(snapshot, 0, bytes.subarray(0, 2))).kind).toBe('partial');
    const spoilt = receiver.take(chunk(snapshot, 2, new Uint8Array([3, 5])));
    expect(spoilt).toEqual({ kind: 'refused', nextOffset: 0 });
    expect(receiver.take(chunk(snapshot, 0, bytes)).kind).toBe('complete');
  });

  test('goes on with another leader that has the same bytes', () => {
    const bytes = new Uint8Array([1, 2, 3, 4]);
    const receiver = new SnapshotReceiver();
    receiver.take(chunk(describeBytes(bytes), 0, bytes.subarray(0, 3)));
    const other = { ...chunk(describeBytes(bytes), 0, bytes.subarray(0, 2)), from: asPeerId('c') };
    expect(receiver.take(other)).toEqual({ kind: 'refused', nextOffset: 3 });
    expect(receiver.take(chunk(describeBytes(bytes), 3, bytes.subarray(3))).kind).toBe('complete');
  });

  test('is not undone by a late piece of another', () => {
    const bytes = new Uint8Array([1, 2, 3, 4]);
    const receiver = new SnapshotReceiver();
    receiver.take(chunk(describeBytes(bytes), 0, bytes.subarray(0, 3)));
    const late = chunk(describeBytes(bytes, 5), 2, bytes.subarray(2));
    expect(receiver.take(late)).toEqual({ kind: 'refused', nextOffset: 0 });
    expect(receiver.take(chunk(describeBytes(bytes), 3, bytes.subarray(3))).kind).toBe('complete');
  });

  test('may be empty, and is never longer than it says', () => {
    const nothing = new Uint8Array(0);
    expect(new SnapshotReceiver().take(chunk(describeBytes(nothing), 0, nothing)).kind).toBe(
      'complete',
    );
    const one = new Uint8Array(1);
    const tooLong = chunk(describeBytes(one), 0, new Uint8Array(2));
    expect(new SnapshotReceiver().take(tooLong).kind).toBe('refused');
    const stuck = chunk(describeBytes(one), 0, nothing);
    expect(new SnapshotReceiver().take(stuck)).toEqual({ kind: 'refused', nextOffset: 0 });
  });
});
