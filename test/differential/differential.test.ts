import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { redisServerIsMissing } from '../support/redis-server.ts';
import { WireClient } from '../support/wire-client.ts';
import { DIFFERENCES } from './differences.ts';
import { Pair } from './pair.ts';
import { checkRandomSequences } from './property.ts';

describe.skipIf(redisServerIsMissing())('compared with redis-server', () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await Pair.start();
  });
  afterAll(async () => {
    await pair[Symbol.asyncDispose]();
  });

  test('any sequence of requests gets the same replies', { timeout: 120_000 }, async () => {
    await checkRandomSequences(pair, { numRuns: 300 });
  });

  test.for(DIFFERENCES.map((entry) => [entry.redis, entry] as const))(
    'differs where it means to: %s',
    async ([, { commands, covers, example }]) => {
      await using redis = await WireClient.to(pair.redis.port);
      await using ours = await WireClient.to(pair.node.port);
      const replies = await Promise.all([redis, ours].map((client) => client.exchange(example)));
      const [theirs, own] = replies.map((each) => each.at(-1)?.toString('latin1') ?? '');
      const request = example.at(-1) ?? [];
      expect(theirs).not.toBe(own);
      expect(covers(theirs, own, request)).toBe(true);
      const names = [request[0], request.slice(0, 2).join('|')].map((name) => name.toLowerCase());
      expect(names.some((name) => commands.includes(name))).toBe(true);
    },
  );
});
