/** What `COMMAND` tells of a command beyond what its specification says in so many words. */
import type { CommandFlag, CommandSpec, KeyPositions } from './command.ts';

/** In the order in which Redis lists them. */
const FLAGS: readonly CommandFlag[] = [
  'write',
  'readonly',
  'denyoom',
  'admin',
  'noscript',
  'loading',
  'stale',
  'asking',
  'fast',
  'no_auth',
  'allow_busy',
];

const CATEGORIES = [
  'keyspace',
  'read',
  'write',
  'string',
  'bitmap',
  'admin',
  'fast',
  'slow',
  'dangerous',
  'connection',
];

const CATEGORY_OF_GROUP: Readonly<Partial<Record<CommandSpec['group'], string>>> = {
  generic: 'keyspace',
  string: 'string',
  bitmap: 'bitmap',
  connection: 'connection',
};

export function flagsOf(spec: CommandSpec): readonly CommandFlag[] {
  return FLAGS.filter((flag) => spec.flags.includes(flag));
}

/** Access categories, with their `@`: they follow from flags and group, unless the table says more. */
export function categoriesOf(spec: CommandSpec): readonly string[] {
  const found = new Set(spec.categories);
  const ofGroup = CATEGORY_OF_GROUP[spec.group];
  const isContainer = spec.run === undefined;
  if (spec.categories === undefined && ofGroup !== undefined && !isContainer) found.add(ofGroup);
  if (spec.flags.includes('write')) found.add('write');
  if (spec.flags.includes('readonly')) found.add('read');
  if (spec.flags.includes('admin')) found.add('admin').add('dangerous');
  found.add(spec.flags.includes('fast') ? 'fast' : 'slow');
  return CATEGORIES.filter((category) => found.has(category)).map((category) => `@${category}`);
}

/** All key positions as one range, as clients knew it before there were key specifications. */
export function keyRange(spec: CommandSpec): Pick<KeyPositions, 'first' | 'last' | 'step'> {
  const { keys = [] } = spec;
  const last = keys.at(-1);
  return last === undefined
    ? { first: 0, last: 0, step: 0 }
    : { first: keys[0].first, last: last.last, step: keys[0].step };
}

export interface KeyArgument {
  readonly index: number;
  /** Redis' words for what is done to it. */
  readonly access: readonly string[];
}

/** Which arguments of a request of so many, the name included, are keys. */
export function keyArguments(spec: CommandSpec, argumentCount: number): KeyArgument[] {
  const found: KeyArgument[] = [];
  for (const { first, last, step, access } of spec.keys ?? []) {
    const end = last < 0 ? argumentCount + last : last;
    for (let index = first; index <= end; index += step) {
      found.push({ index, access: access.split(' ') });
    }
  }
  return found;
}
