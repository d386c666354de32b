/** Flags of oclif for kinds of value, such as `ttl: durationFlag({ min: 1 })({ summary: '…' })`. */
import { Flags } from '@oclif/core';
import { asShardId, type ShardId } from '../../cluster/ids.ts';
import type { Address } from '../../runtime/index.ts';
import { clock } from '../../runtime/node/clock.ts';
import { address, badValue, count, duration, size, type Kind, type Range } from './kinds.ts';

function orRefuse<T>(kind: Kind<T>) {
  return (text: string, _context: unknown, { name }: { readonly name: string }): Promise<T> => {
    const value = kind.parse(text);
    if (value !== undefined) return Promise.resolve(value);
    return Promise.reject(badValue(`--${name}`, text, kind.form));
  };
}

const numberFlag = (kind: Kind<number>) =>
  Flags.custom<number>({ parse: orRefuse(kind), helpValue: kind.label });

const shardNumber = count({ min: 0, max: 16_383 });

export const shardFlag = Flags.custom<ShardId>({
  parse: orRefuse<ShardId>({
    ...shardNumber,
    parse: (text) => {
      const value = shardNumber.parse(text);
      return value === undefined ? undefined : asShardId(value);
    },
  }),
  helpValue: shardNumber.label,
});

/** The time that was so many milliseconds ago, since 1970. */
export function timeBefore(milliseconds: number): number {
  return Math.max(0, Math.floor(clock.wallUs() / 1000) - milliseconds);
}

/** Milliseconds. */
export const durationFlag = (range?: Range) => numberFlag(duration(range));

export const countFlag = (range?: Range) => numberFlag(count(range));

export const addressFlag = Flags.custom<Address>({
  parse: orRefuse(address),
  helpValue: address.label,
});

/** Bytes. */
export const sizeFlag = (range?: Range) => numberFlag(size(range));

/** A number of a kind, or `none`, which takes a limit away: null. */
export const limitFlag = (kind: Kind<number>) =>
  Flags.custom<number | null>({
    parse: orRefuse<number | null>({
      ...kind,
      form: `${kind.form}, or 'none'`,
      parse: (text) => (text === 'none' ? null : kind.parse(text)),
      format: (value) => (value === null ? 'none' : kind.format(value)),
    }),
    helpValue: `${kind.label}|none`,
  });

export const limitOfList = countFlag({ min: 1, max: 10_000 })({
  summary: 'At most so many.',
  default: 100,
});

export const versionFlag = countFlag({ min: 1 })({
  summary: 'The version; the newest, where none is given.',
});
