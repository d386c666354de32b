import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SLOT_COUNT } from '../cluster/index.ts';
import { type Reply, ReplyError } from '../resp/index.ts';
import { Topology, readMoved } from './topology.ts';

const ASKED = { host: '10.0.0.1', port: 7400 };

const text = (words: string) => new Uint8Array(Buffer.from(words));

const ranges = fc.array(
  fc.record({
    bounds: fc.tuple(fc.nat(SLOT_COUNT - 1), fc.nat(SLOT_COUNT - 1)),
    host: fc.constantFrom('a', 'b', 'c', ''),
    port: fc.integer({ min: 1, max: 65_535 }),
  }),
  { maxLength: 8 },
);

type Ranges = typeof ranges extends fc.Arbitrary<infer T> ? T : never;

function replyOf(list: Ranges): Reply {
  return list.map(({ bounds, host, port }) => [
    Math.min(...bounds),
    Math.max(...bounds),
    [text(host), port, text('id'), []],
  ]);
}

describe('a topology', () => {
  test('knows the owner of each slot that the last map names, and of no other', () => {
    fc.assert(
      fc.property(fc.array(ranges, { minLength: 1, maxLength: 3 }), (maps) => {
        const topology = new Topology();
        for (const map of maps) expect(topology.setSlots(replyOf(map), ASKED)).toBe(true);
        const owners: Array<{ host: string; port: number } | undefined> = [];
        for (const { bounds, host, port } of maps.at(-1) ?? []) {
          for (let slot = Math.min(...bounds); slot <= Math.max(...bounds); slot++) {
            owners[slot] = { host: host === '' ? ASKED.host : host, port };
          }
        }
        for (let slot = 0; slot < SLOT_COUNT; slot += 61) {
          expect(topology.ownerOf(slot)).toEqual(owners[slot]);
        }
      }),
    );
  });

  test('moves one slot and leaves its neighbours', () => {
    const topology = new Topology();
    topology.setAlone(ASKED);
    topology.move(7, { host: 'b', port: 1 });
    expect([6, 7, 8].map((slot) => topology.ownerOf(slot)?.host)).toEqual([
      '10.0.0.1',
      'b',
      '10.0.0.1',
    ]);
  });

  test.each<[Reply]>([
    [null],
    ['OK'],
    [[1]],
    [[[0, 1]]],
    [[[0, SLOT_COUNT, [text('a'), 1]]]],
    [[[5, 4, [text('a'), 1]]]],
    [[[-1, 4, [text('a'), 1]]]],
    [[[0, 4, [text('a'), 0]]]],
    [[[0, 4, [text('a'), text('1')]]]],
  ])('takes nothing from %j', (reply) => {
    const topology = new Topology();
    topology.setAlone(ASKED);
    expect(topology.setSlots(reply, ASKED)).toBe(false);
    expect(topology.ownerOf(0)).toEqual(ASKED);
  });
});

describe('a redirection', () => {
  test.each([
    ['MOVED 3999 127.0.0.1:6381', { slot: 3999, node: { host: '127.0.0.1', port: 6381 } }],
    ['MOVED 0 cache-1.internal:1', { slot: 0, node: { host: 'cache-1.internal', port: 1 } }],
    ['MOVED 16383 ::1:6381', { slot: 16_383, node: { host: '::1', port: 6381 } }],
    ['MOVED 5 :6381', { slot: 5, node: { host: '10.0.0.1', port: 6381 } }],
  ])('is read from %j', (words, redirection) => {
    expect(readMoved(new ReplyError(words), ASKED)).toEqual(redirection);
  });

  test.each([
    'ERR MOVED 1 a:1',
    'MOVED',
    'MOVED 1',
    'MOVED 16384 a:1',
    'MOVED x a:1',
    'MOVED 1 a',
    'MOVED 1 a:0',
    'MOVED 1 a:65536',
    'MOVED 1 a:b',
  ])('is not read from %j', (words) => {
    expect(readMoved(new ReplyError(words), ASKED)).toBeUndefined();
  });
});
