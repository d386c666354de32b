import { describe, expect, test } from 'vitest';
import { judgeKey, type KeyRead, type KeyWrite } from './key-history.ts';

function write(value: string | undefined, calledAtUs: number, returnedAtUs?: number): KeyWrite {
  return { value, calledAtUs, returnedAtUs, isRefused: false };
}

function read(value: string | undefined, calledAtUs: number): KeyRead {
  return { value, calledAtUs, returnedAtUs: calledAtUs + 1 };
}

const TWO = [write('a', 0, 10), write('b', 20, 30)];
const never = () => 'nothing is lost here';

describe('the judge of a key', () => {
  test('takes what was acknowledged last, and what was still under way', () => {
    expect(judgeKey('k', TWO, [read('b', 40)], never)).toBeUndefined();
    expect(judgeKey('k', TWO, [read('a', 25)], never)).toBeUndefined();
    expect(judgeKey('k', [...TWO, write('c', 35)], [read('c', 40), read('b', 50)], never)).toBe(
      undefined,
    );
  });

  test('finds a lost write, a write that came back, and a value from nowhere', () => {
    expect(judgeKey('k', TWO, [read('a', 40)], never)?.kind).toBe('lost');
    expect(judgeKey('k', TWO, [read(undefined, 40)], never)?.kind).toBe('lost');
    const deleted = [...TWO, write(undefined, 40, 50)];
    expect(judgeKey('k', deleted, [read('b', 60)], never)?.kind).toBe('lost');
    expect(judgeKey('k', TWO, [read('x', 40)], never)?.kind).toBe('unknown-value');
  });

  test('excuses what may be lost, and no more', () => {
    const [first, second] = TWO;
    const only = (of: KeyWrite) => (lost: KeyWrite) => (lost === of ? undefined : 'kept');
    expect(judgeKey('k', TWO, [read('a', 40)], only(second))).toBeUndefined();
    expect(judgeKey('k', TWO, [read('a', 40)], only(first))?.sentence).toContain('kept');
    expect(judgeKey('k', TWO, [read(undefined, 40)], only(second))?.kind).toBe('lost');
  });

  test('leaves refused writes out', () => {
    const refused = { ...write('b', 20), isRefused: true };
    expect(judgeKey('k', [TWO[0], refused], [read('a', 40)], never)).toBeUndefined();
    expect(judgeKey('k', [TWO[0], refused], [read('b', 40)], never)?.kind).toBe('unknown-value');
  });
});
