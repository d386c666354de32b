import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { redisServerIsMissing } from '../support/redis-server.ts';
import { WireClient } from '../support/wire-client.ts';
import { DIFFERENCES } from './differences.ts';
import { EXAMPLES, exampleSequences } from './examples.ts';
import { Pair } from './pair.ts';
import {
  checkSums,
  checkSequences,
  clusterSequences,
  dataSequences,
  serverSequences,
} from './property.ts';

const timeLimit = { timeout: 120_000 };

describe.skipIf(redisServerIsMissing())('compared with redis-server', () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await Pair.start();
  });
  afterAll(async () => {
    await pair[Symbol.asyncDispose]();
  });

  test('any sequence about keys and values gets the same replies', timeLimit, async () => {
    await checkSequences(pair, dataSequences, { numRuns: 300 });
  });

  test('any sequence about connection and server gets the same replies', timeLimit, async () => {
    await checkSequences(pair, serverSequences, { numRuns: 150 });
  });

  test('any sequence about the cluster gets the same replies', timeLimit, async () => {
    await using cluster = await Pair.start('cluster');
    await checkSequences(cluster, clusterSequences, { numRuns: 100 });
  });

  test('INCRBYFLOAT gives the same digits for numbers of any size', timeLimit, async () => {
    for (let batch = 0; batch < 10; batch++) await checkSums(pair, 300);
  });

  test.for(EXAMPLES)('%s', async ([, ...requests]) => {
    for (const sequence of exampleSequences(requests)) {
      expect(await pair.compare(sequence)).toBeUndefined();
    }
  });

  test.for(DIFFERENCES.map((entry) => [entry.redis, entry] as const))(
    'differs where it means to: %s',
    async ([, { commands, covers, example, isOfCluster }]) => {
      await using cluster = isOfCluster === true ? await Pair.start('cluster') : undefined;
      const { redis: server, node } = cluster ?? pair;
      await using redis = await WireClient.to(server.port);
      await using ours = await WireClient.to(node.port);
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
