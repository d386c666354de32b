/** Flags of oclif for kinds of value, such as `ttl: durationFlag({ min: 1 })({ summary: '…' })`. */
import { Flags } from '@oclif/core';
import type { Address } from '../../runtime/index.ts';
import { address, badValue, count, duration, type Kind, type Range } from './kinds.ts';

function orRefuse<T>(kind: Kind<T>) {
  return (text: string, _context: unknown, { name }: { readonly name: string }): Promise<T> => {
    const value = kind.parse(text);
    if (value !== undefined) return Promise.resolve(value);
    return Promise.reject(badValue(`--${name}`, text, kind.form));
  };
}

const numberFlag = (kind: Kind<number>) =>
  Flags.custom<number>({ parse: orRefuse(kind), helpValue: kind.label });

/** Milliseconds. */
export const durationFlag = (range?: Range) => numberFlag(duration(range));

export const countFlag = (range?: Range) => numberFlag(count(range));

export const addressFlag = Flags.custom<Address>({
  parse: orRefuse(address),
  helpValue: address.label,
});
