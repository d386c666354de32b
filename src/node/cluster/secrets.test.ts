import { scryptSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Crypto } from '../../runtime/index.ts';
import { createRuntime } from '../../runtime/node/index.ts';
import { Secrets, type SecretVerdict } from './secrets.ts';

const N = 16;
const bytes = (text: string): Uint8Array => Buffer.from(text);

function hashOf(secret: string): string {
  const salt = Buffer.from('sixteen bytes of');
  const key = scryptSync(secret, salt, 32, { N, r: 8, p: 1 });
  return `scrypt$${N}$8$1$${salt.toString('base64')}$${key.toString('base64')}`;
}

/** The real runtime, which counts what it is asked to do. */
function countingSecrets(): { secrets: Secrets; seen: { calls: number; atOnceMax: number } } {
  const runtime = createRuntime();
  const seen = { calls: 0, atOnceMax: 0 };
  let atOnce = 0;
  const crypto: Crypto = {
    scrypt(secret, salt, length, cost, done) {
      seen.calls++;
      atOnce++;
      seen.atOnceMax = Math.max(seen.atOnceMax, atOnce);
      runtime.crypto.scrypt(secret, salt, length, cost, (error, key) => {
        atOnce--;
        done(error, key);
      });
    },
  };
  return { secrets: new Secrets({ crypto, random: runtime.random }), seen };
}

function verdictOn(secrets: Secrets, hash: string, secret: string): Promise<SecretVerdict> {
  return new Promise((resolve) => secrets.verify(hash, bytes(secret), resolve));
}

describe('secrets', () => {
  test('are right where they are the same, and only there', async () => {
    const secret = fc.string({ minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(secret, fc.array(secret, { maxLength: 4 }), async (right, others) => {
        const { secrets } = countingSecrets();
        const hash = hashOf(right);
        for (const given of [...others, right, ...others, right]) {
          const expected = given === right ? 'right' : 'wrong';
          expect(await verdictOn(secrets, hash, given)).toBe(expected);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('cost one scrypt, however many clients come with one at once, and none from then on', async () => {
    const { secrets, seen } = countingSecrets();
    const hash = hashOf('hunter2');
    const many = Array.from({ length: 500 }, () => verdictOn(secrets, hash, 'hunter2'));
    expect(new Set(await Promise.all(many))).toEqual(new Set(['right']));
    expect(await verdictOn(secrets, hash, 'hunter3')).toBe('wrong');
    expect(seen.calls).toBe(1);
  });

  test('are checked a few at a time, and a flood of guesses is told to wait', async () => {
    const { secrets, seen } = countingSecrets();
    const hash = hashOf('hunter2');
    const guesses = Array.from({ length: 400 }, (_, guess) =>
      verdictOn(secrets, hash, `guess ${guess}`),
    );
    const verdicts = await Promise.all(guesses);
    expect(verdicts.filter((verdict) => verdict === 'wrong')).toHaveLength(258);
    expect(verdicts.filter((verdict) => verdict === 'busy')).toHaveLength(142);
    expect(seen.atOnceMax).toBe(2);
  });

  test.each([
    '',
    'plain',
    'scrypt$16$8$1$$',
    'scrypt$99999999$8$1$c2FsdA==$a2V5a2V5a2V5a2V5a2V5a2V5',
  ])('are wrong by %j, which is no hash that can be checked', async (hash) => {
    const { secrets, seen } = countingSecrets();
    expect(await verdictOn(secrets, hash, '')).toBe('wrong');
    expect(seen.calls).toBe(0);
  });

  test('are wrong by a cost that scrypt cannot have', async () => {
    const { secrets } = countingSecrets();
    const hash = hashOf('hunter2').replace('$16$', '$15$');
    expect(await verdictOn(secrets, hash, 'hunter2')).toBe('wrong');
  });
});
