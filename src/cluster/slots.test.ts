import fc from 'fast-check';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import {
  freePort,
  redisServerIsMissing,
  startRedisServer,
} from '../../test/support/redis-server.ts';
import { SLOT_COUNT, slotOfKey } from './slots.ts';

function slot(key: string | Uint8Array): number {
  const bytes = Buffer.from(key);
  return slotOfKey(bytes, 0, bytes.length);
}

describe('slotOfKey', () => {
  test('gives the check value of CRC-16/XMODEM, and known slots', () => {
    expect(slot('123456789')).toBe(0x31c3);
    expect(slot('')).toBe(0);
    expect(slot('foo')).toBe(12_182);
    expect(slot('bar')).toBe(5_061);
    expect(slot('user1000')).toBe(3_443);
  });

  test('counts only the first hash tag that is not empty', () => {
    expect(slot('{user1000}.following')).toBe(slot('user1000'));
    expect(slot('foo{bar}{zap}')).toBe(slot('bar'));
    expect(slot('foo{{bar}}zap')).toBe(slot('{bar'));
    expect(slot('a}b{c}')).toBe(slot('c'));
    expect(slot('foo{}{bar}')).toBe(8_363);
    expect(slot('foo{bar')).not.toBe(slot('bar'));
  });

  test('reads no byte outside the range given', () => {
    const bytes = fc.uint8Array({ maxLength: 40 });
    fc.assert(
      fc.property(bytes, bytes, bytes, (before, key, after) => {
        const whole = Buffer.concat([before, key, after]);
        const found = slotOfKey(whole, before.length, before.length + key.length);
        expect(found).toBe(slot(key));
        expect(found).toBeLessThan(SLOT_COUNT);
      }),
    );
  });

  test.skipIf(redisServerIsMissing())('agrees with CLUSTER KEYSLOT of redis-server', async () => {
    const bus = await freePort();
    await using server = await startRedisServer(
      '--cluster-enabled',
      'yes',
      '--cluster-port',
      `${bus}`,
    );
    const client = new Redis(server.port, '127.0.0.1');
    const byte = fc.oneof(fc.constantFrom(0x7b, 0x7d), fc.integer({ min: 0, max: 255 }));
    const keys = fc.sample(fc.array(byte, { maxLength: 24 }), 5_000).map((key) => Buffer.from(key));
    const theirs = await Promise.all(keys.map((key) => client.call('CLUSTER', 'KEYSLOT', key)));
    client.disconnect();
    expect(keys.map(slot)).toEqual(theirs);
  });
});
