import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { REQUEST, RequestReader } from '../resp/index.ts';
import { OutputBuffer } from '../runtime/index.ts';
import { SeededRandom } from './random.ts';
import { RequestWriter } from './requests.ts';
import { FillSource, LoadSource, type Source } from './source.ts';
import { keyBytesMin, type Workload } from './workload.ts';

const span = (min: number, max: number) =>
  fc.tuple(fc.integer({ min, max }), fc.integer({ min, max })).map(([one, other]) => ({
    min: Math.min(one, other),
    max: Math.max(one, other),
  }));

const workloads: fc.Arbitrary<Workload> = fc
  .integer({ min: 1, max: 1_000_000_000 })
  .chain((keyCount) =>
    fc.record({
      keyCount: fc.constant(keyCount),
      keyBytes: span(keyBytesMin(keyCount), 80),
      valueBytes: span(0, 300),
      ttlMs: fc.option(fc.integer({ min: 1, max: 1e9 }), { nil: undefined }),
      readFraction: fc.double({ min: 0, max: 1, noNaN: true }),
      theta: fc.constantFrom(0, 0.99),
      seed: fc.nat(),
    }),
  );

function keyOf(append: (output: OutputBuffer) => void): string {
  const output = new OutputBuffer();
  append(output);
  return parse(output, 1)[0][1].toString();
}

/** The arguments of `count` requests, as a server would read them. */
function read(source: Source, count: number): Buffer[][] {
  const output = new OutputBuffer(16);
  const names = Array.from({ length: count }, () => (source.append(output) ? 'GET' : 'SET'));
  const requests = parse(output, count);
  expect(requests.map(([name]) => name.toString())).toEqual(names);
  return requests;
}

function parse(output: OutputBuffer, count: number): Buffer[][] {
  const reader = new RequestReader();
  reader.push(output.bytes, 0, output.length);
  const requests = Array.from({ length: count }, () => {
    expect(reader.next()).toBe(REQUEST);
    const { argumentBytes, argumentCount, starts, ends } = reader.request;
    return Array.from({ length: argumentCount }, (_, index) =>
      Buffer.from(argumentBytes.slice(starts[index], ends[index])),
    );
  });
  reader.finish();
  expect(reader.bytesCarried).toBe(0);
  return requests;
}

describe('requests', () => {
  test('are what the workload says', () => {
    fc.assert(
      fc.property(workloads, fc.nat(100), (workload, stream) => {
        const { keyBytes, valueBytes, ttlMs, keyCount } = workload;
        const source = new LoadSource(workload, new RequestWriter(workload), stream);
        for (const [name, key, value, ...rest] of read(source, 40)) {
          expect(key.length >= keyBytes.min && key.length <= keyBytes.max).toBe(true);
          expect(Number(/\d+$/.exec(key.toString())?.[0])).toBeLessThan(keyCount);
          if (name.toString() === 'GET') continue;
          expect(value.length >= valueBytes.min && value.length <= valueBytes.max).toBe(true);
          expect(rest.map(String)).toEqual(ttlMs === undefined ? [] : ['PX', String(ttlMs)]);
        }
      }),
    );
  });

  test('of the same stream are the same, and of another stream others', () => {
    const workload = { ...plain, readFraction: 0.5, theta: 0.9 };
    const take = (stream: number) =>
      read(new LoadSource(workload, new RequestWriter(workload), stream), 200);
    expect(take(3)).toEqual(take(3));
    expect(take(3)).not.toEqual(take(4));
  });

  test('name as many different keys as there are, the same for reads and writes', () => {
    for (const keyBytes of [
      { min: 3, max: 3 },
      { min: 6, max: 6 },
      { min: 3, max: 40 },
    ]) {
      const writer = new RequestWriter({ ...plain, keyCount: 1000, keyBytes });
      const names = { read: new Set<string>(), write: new Set<string>() };
      const random = new SeededRandom(1);
      for (let key = 0; key < 1000; key++) {
        names.read.add(keyOf((output) => writer.appendRead(output, key)));
        names.write.add(keyOf((output) => writer.appendWrite(output, key, random)));
      }
      expect(names.read.size).toBe(1000);
      const lengths = new Set(Array.from(names.read, (name) => name.length));
      expect(lengths.size).toBe(keyBytes.max - keyBytes.min + 1);
      expect(names.write).toEqual(names.read);
    }
  });

  test('of default size name keys as redis-benchmark does', () => {
    const output = new OutputBuffer();
    new RequestWriter(plain).appendRead(output, 4_711);
    expect(Buffer.from(output.view()).toString()).toContain('key:000000004711');
  });

  test('reach both ends of a range of value sizes, in proportion between', () => {
    const workload = { ...plain, valueBytes: { min: 10, max: 1_000_000 } };
    const sizes = read(new FillSource(workload, new RequestWriter(workload), 1000), 500).map(
      ([, , value]) => value.length,
    );
    expect(Math.min(...sizes)).toBe(10);
    expect(Math.max(...sizes)).toBe(1_000_000);
    const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
    expect(mean).toBeGreaterThan(400_000);
    expect(mean).toBeLessThan(600_000);
  });

  test('are reads as often as they should be', () => {
    const workload = { ...plain, readFraction: 0.9 };
    const requests = read(new LoadSource(workload, new RequestWriter(workload), 0), 10_000);
    const reads = requests.filter(([name]) => name.toString() === 'GET').length;
    expect(reads).toBeGreaterThan(8_850);
    expect(reads).toBeLessThan(9_150);
  });
});

test('filling writes each key once, the last one first', () => {
  const requests = read(new FillSource(plain, new RequestWriter(plain), 500), 500);
  const keys = requests.map(([, key]) => Number(key.toString().slice(4)));
  expect(keys).toEqual(Array.from({ length: 500 }, (_, index) => 499 - index));
});

const plain: Workload = {
  keyCount: 1_000_000,
  keyBytes: { min: 16, max: 16 },
  valueBytes: { min: 20, max: 20 },
  ttlMs: undefined,
  readFraction: 1,
  theta: 0,
  seed: 1,
};
