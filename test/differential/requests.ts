/**
 * Random sequences of requests, drawn from the command table's own syntax and bent towards what
 * breaks servers: a few keys, edge values, options in every position, arguments missing or extra.
 */
import * as fc from 'fast-check';
import type { CommandSpec } from '../../src/node/command.ts';
import { parseSyntax, type ArgumentType, type SyntaxArgument } from '../../src/node/syntax.ts';

/**
 * One argument: bytes, written as text with a character a byte, or a time that is only known when
 * it is sent. `soon` has passed after the next wait, `far` never does; all are milliseconds.
 */
export type Token = string | { readonly time: 'soon' | 'soon-at' | 'far' | 'far-at' };

/** A request, or a pause in which all that is due soon expires. */
export type Step = readonly Token[] | 'wait';

export interface Sequence {
  readonly version: 2 | 3;
  readonly isPipelined: boolean;
  readonly steps: readonly Step[];
}

const KEYS = ['a', 'b', 'c', '{a}1', '', 'k\0\xff\r\n'];

const VALUES = [
  ...['', '0', '1', '-1', '7', '10', '-0', '00', '+1', ' 1', '1 ', '0x10', '1_000', '1e3', '3.14'],
  ...['9223372036854775807', '-9223372036854775808', '9223372036854775808', '1234567890123456'],
  ...['-9223372036854775809', '999999999999999999999', '-.5', '.', '1.', 'inf', '-inf', 'nan'],
  ...[
    '1.7976931348623157e308',
    '1e4932',
    '1e4933',
    '4e-4951',
    '-1e-4952',
    '0x1.8p3',
    'abc',
    'aXbXc',
  ],
  ...['x'.repeat(44), 'y'.repeat(45), '\0', '\xff\xfe', 'a\r\nb', '\x7f\x80', 'hello world'],
];

const EDGE_INTEGERS = [
  ...['9223372036854775807', '-9223372036854775808', '9223372036854775808', '2147483647'],
  ...['2147483648', '-2147483649', '4294967295', '4294967296', '9007199254740993', '8589934592'],
  ...['-9223372036854775807', '1.5', '', ' 1', '1 ', '+1', '01', '-0', 'one', '0x1', '1\0'],
];

const FLOATS = [
  ...[
    '0.1',
    '-0.1',
    '3.0e3',
    '1e17',
    '0.00000000000000001',
    '1e-18',
    '-1e-20',
    '100000000000000000.5',
  ],
  ...[
    '5.0',
    '1.005',
    '2.675',
    '123456789.987654321',
    '-0',
    '1e400',
    '1e5000',
    '0x1p-3',
    'Infinity',
  ],
];

const PATTERNS = [
  ...[
    '*',
    '?',
    '',
    '**',
    'a',
    '[abc]',
    '[^a]',
    '[a-c]*',
    '[c-a]',
    '\\a',
    '\\',
    '[',
    '[]',
    '[a',
    '*1',
  ],
  ...['{a}*', '*\xff*', '[\x7f-\xff]*', '[a-]', 'k?\xff*', '*[^b]', '\\*'],
];

/** Of the keys `a`, `b` and `c`; the first, the last, and what is none. */
const SLOTS = ['15495', '3300', '7365', '0', '16383', '16384', '-1', 'x', ''];

const PATTERN_CHARACTERS = ['a', 'b', '[', ']', '^', '-', '\\', '*', '?', 'k', '{', '1', '\xff'];

const TIMES = [
  ...['0', '-1', '1', '1000000000000', '4102444800000', '253402300799000', '9007199254740992'],
  ...['9223372036854775807', '9223372036854774784', '9223372036854775', '9223372036854776'],
  ...['-9223372036854775808', '4398046511104', '4398046511103', '8796093022207', '8796093022208'],
];

const small = fc.integer({ min: -12, max: 40 }).map(String);
const integer = fc.oneof(
  { arbitrary: small, weight: 4 },
  { arbitrary: fc.constantFrom(...EDGE_INTEGERS), weight: 1 },
);
const value = fc.oneof(
  { arbitrary: fc.constantFrom(...VALUES), weight: 4 },
  { arbitrary: small, weight: 1 },
  { arbitrary: bytesAsText(8), weight: 1 },
);
const key = fc.oneof(
  { arbitrary: fc.constantFrom(...KEYS), weight: 15 },
  { arbitrary: bytesAsText(3), weight: 1 },
);
const float = fc.oneof(
  { arbitrary: fc.constantFrom(...FLOATS), weight: 2 },
  { arbitrary: fc.constantFrom(...VALUES), weight: 1 },
  { arbitrary: fc.double({ noNaN: true }).map(String), weight: 2 },
  { arbitrary: fc.integer({ min: -1000, max: 1000 }).map((n) => String(n / 100)), weight: 2 },
);
const pattern = fc.oneof(
  { arbitrary: fc.constantFrom(...PATTERNS), weight: 3 },
  {
    arbitrary: fc.string({ unit: fc.constantFrom(...PATTERN_CHARACTERS), maxLength: 8 }),
    weight: 1,
  },
);

/** Times in milliseconds. Relative ones all differ, so that comparing two needs no exact clock. */
const relative = fc.oneof(
  { arbitrary: fc.constant<Token>({ time: 'far' }), weight: 4 },
  { arbitrary: fc.constant<Token>({ time: 'soon' }), weight: 2 },
  { arbitrary: fc.constantFrom<Token>(...EDGE_INTEGERS, '0', '-1', '-5000'), weight: 1 },
);
const absolute = fc.oneof(
  { arbitrary: fc.constant<Token>({ time: 'far-at' }), weight: 2 },
  { arbitrary: fc.constant<Token>({ time: 'soon-at' }), weight: 2 },
  { arbitrary: fc.constantFrom<Token>(...TIMES), weight: 3 },
);
const seconds = fc.oneof(
  { arbitrary: fc.constant<Token>({ time: 'far' }), weight: 4 },
  { arbitrary: fc.constantFrom<Token>(...EDGE_INTEGERS, '0', '-1', '9223372036854775'), weight: 1 },
);

/** Anything at all: for arguments in places where none belongs. */
const junk = fc.oneof(
  value,
  integer.filter((text) => !text.includes('\0')),
  key,
  fc.constantFrom('NX', 'xx', 'GET', 'EX', 'px', 'KEEPTTL', 'BIT', 'COUNT', 'persist', 'REPLACE'),
);

function bytesAsText(maxLength: number): fc.Arbitrary<string> {
  return fc.uint8Array({ maxLength }).map((bytes) => String.fromCharCode(...bytes));
}

const VALUES_OF_TYPE: Readonly<Partial<Record<ArgumentType, fc.Arbitrary<Token>>>> = {
  key,
  integer,
  double: float,
  pattern,
  'unix-time': fc.constantFrom(...TIMES),
};

function valueOf(argument: SyntaxArgument, command: string): fc.Arbitrary<Token> {
  if (argument.name === 'offset' && command === 'setrange') return offsetWithin(100);
  if (argument.name === 'offset') return offsetWithin(1000);
  if (argument.name === 'value' && command === 'setbit')
    return fc.constantFrom('0', '1', '2', '01');
  if (argument.name === 'bit') return fc.constantFrom('0', '1', '1', '2', '-1', 'x');
  if (argument.name === 'milliseconds') return relative;
  if (argument.name === 'unix-time-milliseconds') return absolute;
  if (argument.name === 'seconds') return seconds;
  if (argument.name === 'slot') return fc.constantFrom(...SLOTS);
  if (argument.name === 'cursor') return fc.constantFrom('0', '0', '0', 'x', '-', '', ' 0', '+0');
  if (argument.name === 'count') return fc.constantFrom('1000', '1000', '10', '1', '0', '-1', 'x');
  if (argument.name === 'type') return fc.constantFrom('string', 'STRING', 'list', 'nosuch');
  if (argument.name === 'destination-db')
    return fc.constantFrom('0', '0', '1', '-1', 'x', '3000000000');
  if (argument.name.startsWith('key')) return key;
  return VALUES_OF_TYPE[argument.type] ?? value;
}

/** Small, or far beyond any limit: nothing between, which would only take memory and time. */
function offsetWithin(max: number): fc.Arbitrary<Token> {
  return fc.oneof(
    { arbitrary: fc.integer({ min: -2, max }).map(String), weight: 9 },
    { arbitrary: fc.constantFrom(...EDGE_INTEGERS), weight: 1 },
  );
}

function tokensOf(argument: SyntaxArgument, command: string): fc.Arbitrary<Token[]> {
  const once = tokensOnce(argument, command);
  const times = argument.isMultiple
    ? fc.array(once, { minLength: argument.isOptional ? 0 : 1, maxLength: 4 })
    : fc.array(once, { minLength: argument.isOptional ? 0 : 1, maxLength: 1 });
  return times.map((parts) => parts.flat());
}

function tokensOnce(argument: SyntaxArgument, command: string): fc.Arbitrary<Token[]> {
  if (argument.type === 'pure-token') return inAnyCase(argument.token ?? '');
  if (argument.type === 'block') return inOrder(argument.arguments, command);
  if (argument.type === 'oneof') {
    return fc.oneof(...argument.arguments.map((choice) => tokensOf(choice, command)));
  }
  const given = valueOf(argument, command).map((token) => [token]);
  if (argument.token === undefined) return given;
  return fc.tuple(inAnyCase(argument.token), given).map((parts) => parts.flat());
}

function inOrder(parts: readonly SyntaxArgument[], command: string): fc.Arbitrary<Token[]> {
  return fc.tuple(...parts.map((part) => tokensOf(part, command))).map((found) => found.flat());
}

function inAnyCase(word: string): fc.Arbitrary<Token[]> {
  return fc.constantFrom([word], [word.toLowerCase()], [word[0] + word.slice(1).toLowerCase()]);
}

/** Required arguments come first, options after them in any order. */
function argumentsOf(spec: CommandSpec): fc.Arbitrary<Token[]> {
  const parts = parseSyntax(spec.syntax);
  const required = parts.filter((part) => !part.isOptional);
  const options = parts.filter((part) => part.isOptional);
  return fc
    .tuple(
      inOrder(required, spec.name),
      fc.shuffledSubarray(options).chain((chosen) => inOrder(chosen, spec.name)),
    )
    .map((found) => found.flat());
}

type Change =
  { kind: 'none' } | { kind: 'drop' | 'repeat' | 'insert' | 'replace'; at: number; token: Token };

const change: fc.Arbitrary<Change> = fc.oneof(
  { arbitrary: fc.constant<Change>({ kind: 'none' }), weight: 12 },
  {
    arbitrary: fc.record({
      kind: fc.constantFrom('drop', 'repeat', 'insert', 'replace'),
      at: fc.nat(8),
      token: junk,
    }),
    weight: 3,
  },
);

function withChange(tokens: readonly Token[], made: Change): Token[] {
  const changed = [...tokens];
  if (made.kind === 'none') return changed;
  const at = made.at % (changed.length + 1);
  if (made.kind === 'drop') changed.splice(at, 1);
  else if (made.kind === 'repeat') changed.splice(at, 0, ...changed.slice(at, at + 1));
  else changed.splice(at, made.kind === 'insert' ? 0 : 1, made.token);
  return changed;
}

function requestOf(spec: CommandSpec, prefix: readonly string[] = []): fc.Arbitrary<Token[]> {
  return fc
    .tuple(inAnyCase(spec.name.toUpperCase()), argumentsOf(spec), change)
    .map(([name, tokens, made]) => [prefix, name, withChange(tokens, made)].flat());
}

/** Requests of these commands, and of those of their subcommands that `isWanted` names. */
export function requests(
  specs: readonly CommandSpec[],
  isWanted: (group: string, fullName: string) => boolean,
): fc.Arbitrary<Token[]> {
  const each = specs.flatMap((spec) => [
    ...(spec.run !== undefined && isWanted(spec.group, spec.name) ? [requestOf(spec)] : []),
    ...(spec.subcommands ?? [])
      .filter((sub) => isWanted(sub.group, `${spec.name}|${sub.name}`))
      .map((sub) => requestOf(sub, [spec.name])),
  ]);
  return fc.oneof(...each);
}

export function sequences(
  request: fc.Arbitrary<Token[]>,
  stepsMax: number,
): fc.Arbitrary<Sequence> {
  const step: fc.Arbitrary<Step> = fc.oneof(
    { arbitrary: request, weight: 150 },
    { arbitrary: fc.constant<Step>('wait'), weight: 1 },
  );
  return fc.record({
    version: fc.constantFrom<2 | 3>(2, 3),
    isPipelined: fc.boolean(),
    steps: fc.array(step, { minLength: 1, maxLength: stepsMax, size: 'max' }),
  });
}
