/** Arguments that are numbers. */
import { Args } from '@oclif/core';
import { asShardId, type ShardId } from '../../cluster/ids.ts';
import { badValue, count } from './kinds.ts';

function numberOf(place: string, text: string, max: number): number {
  const kind = count({ min: 0, max });
  const value = kind.parse(text);
  if (value === undefined) throw badValue(place, text, kind.form);
  return value;
}

export const shardArgument = Args.custom<ShardId>({
  ignoreStdin: true,
  parse: (text) => Promise.resolve(asShardId(numberOf('SHARD', text, 16_383))),
});

export const moveArgument = Args.custom<number>({
  ignoreStdin: true,
  parse: (text) => Promise.resolve(numberOf('MOVE', text, Number.MAX_SAFE_INTEGER)),
});
