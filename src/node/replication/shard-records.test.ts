import { expect, it } from 'vitest';
import { Engine } from '../../engine/index.ts';
import { isMemoryShort } from './shard-records.ts';

it('memory is short where little is left of the node’s, or of what a domain may have', () => {
  const random = { uint32: () => 1, bytes: (length: number) => new Uint8Array(length) };
  const engine = new Engine({ memoryBytes: 8 * 1024 * 1024, random });
  const domain = engine.addDomain(0, 'lru');
  const spaces = { engine, all: () => [domain], numbered: () => domain, numberOf: () => 0 };
  const value = Buffer.alloc(1000);
  const fill = (count: number): void => {
    for (let number = 0; number < count; number++) {
      const key = Buffer.from(`key:${number}`);
      engine.set(domain, key, 0, key.length, value, 0, value.length, 0);
    }
  };
  fill(1000);
  expect(isMemoryShort(spaces)).toBe(false);
  domain.bytesMax = domain.bytes * 1.2;
  expect(isMemoryShort(spaces)).toBe(true);
  domain.bytesMax = domain.bytes * 2;
  expect(isMemoryShort(spaces)).toBe(false);
  domain.bytesMax = Infinity;
  fill(7000);
  expect(isMemoryShort(spaces)).toBe(true);
});
