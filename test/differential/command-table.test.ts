import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/node/commands/index.ts';
import { parseSyntax, type SyntaxArgument } from '../../src/node/syntax.ts';
import { redisServerIsMissing } from '../support/redis-server.ts';
import { elementsOf, WireClient } from '../support/wire-client.ts';
import { Pair } from './pair.ts';

type Value = string | Value[];

/** A reply as text and arrays of it, whatever the kind. */
function valueOf(reply: Buffer): Value {
  if ('*~%'.includes(String.fromCharCode(reply[0]))) return elementsOf(reply).map(valueOf);
  const text = reply.toString('latin1');
  const from = text.startsWith('$') ? text.indexOf('\r\n') + 2 : 1;
  return text.slice(from, -2);
}

interface Described {
  name: string;
  arity: string;
  flags: Value;
  range: Value[];
  categories: Value;
  tips: Value;
  keys: Value[];
  subcommands: Map<string, Described>;
}

function describedBy(reply: Value): Described | undefined {
  if (typeof reply === 'string') return undefined;
  const [name, arity, flags, first, last, step, categories, tips, keys, inner] = reply;
  const described = (Array.isArray(inner) ? inner : [])
    .map(describedBy)
    .filter((one) => one !== undefined);
  return {
    name: String(name),
    arity: String(arity),
    flags,
    range: [first, last, step],
    categories,
    tips,
    keys: (Array.isArray(keys) ? keys : []).map(withoutNotes),
    subcommands: new Map(described.map((one) => [one.name, one])),
  };
}

/** Redis adds words for people to some. */
function withoutNotes(spec: Value): Value {
  return Array.isArray(spec) && spec[0] === 'notes' ? spec.slice(2) : spec;
}

/** All but its subcommands, which are compared one by one. */
function comparable(described: Described): object {
  const { name, arity, flags, range, categories, tips, keys } = described;
  // Redis 7.2 takes a command by its name alone there; 7.0 wanted an argument more.
  const isNewer = name.startsWith('command|getkeys');
  return { name, arity: isNewer ? '-3' : arity, flags, range, categories, tips, keys };
}

describe.skipIf(redisServerIsMissing())('COMMAND, compared with redis-server', () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await Pair.start();
  });
  afterAll(async () => {
    await pair[Symbol.asyncDispose]();
  });

  it.for([2, 3])('describes every shared command alike in RESP%i', async (version) => {
    await using redis = await WireClient.to(pair.redis.port);
    await using ours = await WireClient.to(pair.node.port);
    const names = COMMANDS.map((spec) => spec.name);
    const [theirs, own] = await Promise.all(
      [redis, ours].map(async (client) => {
        await client.ask('HELLO', `${version}`);
        const reply = valueOf(await client.ask('COMMAND', 'INFO', ...names));
        return Array.isArray(reply) ? reply.map(describedBy) : [];
      }),
    );
    for (const [index, mine] of own.entries()) {
      const other = theirs[index];
      if (other === undefined || mine === undefined) continue;
      expect(comparable(mine)).toEqual(comparable(other));
      for (const [name, sub] of mine.subcommands) {
        const otherSub = other.subcommands.get(name);
        if (otherSub !== undefined) expect(comparable(sub)).toEqual(comparable(otherSub));
      }
    }
    expect(own.length).toBe(COMMANDS.length);
  });

  it('knows all commands of Redis that are about strings, bits or keys of them', async () => {
    await using redis = await WireClient.to(pair.redis.port);
    for (const category of ['string', 'bitmap']) {
      const reply = valueOf(await redis.ask('COMMAND', 'LIST', 'FILTERBY', 'ACLCAT', category));
      const missing = (Array.isArray(reply) ? reply : []).filter(
        (name) => !COMMANDS.some((spec) => spec.name === name),
      );
      expect(missing.toSorted((one, other) => (one < other ? -1 : 1))).toEqual(
        category === 'string' ? [] : ['bitfield', 'bitfield_ro', 'bitop'],
      );
    }
  });
});

describe('the command table', () => {
  const specs = COMMANDS.flatMap((spec) => [
    { spec, words: 1 },
    ...(spec.subcommands ?? []).map((sub) => ({ spec: sub, words: 2 })),
  ]);

  // COMMAND may be followed by a subcommand, and QUIT by words that it ignores, as in Redis.
  const exceptions = ['command', 'quit'];
  it.for(
    specs
      .filter(({ spec }) => spec.run !== undefined && !exceptions.includes(spec.name))
      .map((each) => [each.spec.name, each] as const),
  )('%s: arity and syntax agree', ([, { spec, words }]) => {
    const syntax = parseSyntax(spec.syntax);
    const required = sum(syntax.map(fewest)) + words;
    expect(Math.abs(spec.arity)).toBe(required);
    expect(spec.arity < 0).toBe(!syntax.every(isFixed));
  });
});

/** The fewest words with which an argument can be given. */
function fewest(argument: SyntaxArgument): number {
  if (argument.isOptional) return 0;
  if (argument.type === 'oneof') {
    return Math.min(...argument.arguments.map(fewest).filter((count) => count > 0));
  }
  if (argument.type === 'block') return sum(argument.arguments.map(fewest));
  return argument.token === undefined || argument.type === 'pure-token' ? 1 : 2;
}

/** Whether it takes the same number of words always. */
function isFixed(argument: SyntaxArgument): boolean {
  if (argument.isOptional || argument.isMultiple) return false;
  if (argument.type === 'block') return argument.arguments.every(isFixed);
  if (argument.type !== 'oneof') return true;
  return argument.arguments.every(
    (choice) => isFixed(choice) && fewest(choice) === fewest(argument.arguments[0]),
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
