/**
 * The notation in which the command table tells a command's arguments, read into a tree.
 *
 *     WORD          to be given as it is        key           to be given a value for
 *     WORD value    a value with a name         [ ... ]       may be left out
 *     <a | b>       one of them                 a [a ...]     once or more often
 *
 * `COMMAND DOCS` is made of it, and tests draw random arguments from it.
 */
import { invariant } from '../runtime/index.ts';

export type ArgumentType =
  | 'key'
  | 'string'
  | 'integer'
  | 'double'
  | 'pattern'
  | 'unix-time'
  | 'pure-token'
  | 'oneof'
  | 'block';

export interface SyntaxArgument {
  readonly name: string;
  readonly type: ArgumentType;
  /** The word before the value; for a pure token, all there is. */
  readonly token?: string;
  readonly isOptional: boolean;
  readonly isMultiple: boolean;
  /** Of `oneof` and `block`. */
  readonly arguments: readonly SyntaxArgument[];
}

const TYPES: Readonly<Record<string, ArgumentType>> = {
  key: 'key',
  newkey: 'key',
  source: 'key',
  destination: 'key',
  key1: 'key',
  key2: 'key',
  pattern: 'pattern',
  'unix-time-seconds': 'unix-time',
  'unix-time-milliseconds': 'unix-time',
  float: 'double',
  seconds: 'integer',
  milliseconds: 'integer',
  increment: 'integer',
  decrement: 'integer',
  offset: 'integer',
  start: 'integer',
  end: 'integer',
  bit: 'integer',
  count: 'integer',
  cursor: 'integer',
  index: 'integer',
  slot: 'integer',
  timeout: 'integer',
  numreplicas: 'integer',
  'min-match-len': 'integer',
  'destination-db': 'integer',
  'client-id': 'integer',
  protover: 'integer',
};

/** What `syntax` says, argument by argument. */
export function parseSyntax(syntax: string): SyntaxArgument[] {
  const words = syntax.match(/[[\]<>|]|[^\s[\]<>|]+/g) ?? [];
  const reader = new Reader(words);
  const parsed = reader.readAlternatives();
  invariant(reader.isAtEnd, `brackets in a syntax are in pairs: ${syntax}`);
  return parsed;
}

class Reader {
  readonly #words: readonly string[];
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#words.length;
  }

  /** Up to what closes it or the end. One alternative is its arguments, several a `oneof`. */
  readAlternatives(): SyntaxArgument[] {
    const alternatives = [this.#readSequence()];
    while (this.#words[this.#at] === '|') {
      this.#at++;
      alternatives.push(this.#readSequence());
    }
    if (alternatives.length === 1) return alternatives[0];
    const choices = alternatives.map((sequence) =>
      sequence.length === 1 ? sequence[0] : block(sequence, false),
    );
    const name = choices.map((choice) => choice.name).join('-or-');
    return [{ ...block(choices, false), type: 'oneof', name }];
  }

  #readSequence(): SyntaxArgument[] {
    const found: SyntaxArgument[] = [];
    for (let word = this.#words[this.#at]; this.#isItem(word); word = this.#words[this.#at]) {
      if (word === '[') {
        this.#at++;
        this.#addOptional(found, this.readAlternatives());
        this.#at++;
      } else if (word === '<') {
        this.#at++;
        found.push(...this.readAlternatives());
        this.#at++;
      } else {
        found.push(this.#readArgument());
      }
    }
    return found;
  }

  #isItem(word: string | undefined): boolean {
    return word !== undefined && word !== '|' && word !== ']' && word !== '>';
  }

  /** `a [a ...]` says of the `a` before that it may come more often. */
  #addOptional(found: SyntaxArgument[], inner: SyntaxArgument[]): void {
    const repeats = inner.at(-1)?.name === '...';
    const repeated = repeats ? inner.slice(0, -1) : inner;
    const before = found.slice(-repeated.length);
    if (repeats && sameNames(before, repeated)) {
      found.length -= repeated.length;
      found.push(before.length === 1 ? { ...before[0], isMultiple: true } : block(before, true));
      return;
    }
    const only = repeated.length === 1 ? repeated[0] : block(repeated, false);
    found.push({ ...only, isOptional: true, isMultiple: repeats || only.isMultiple });
  }

  #readArgument(): SyntaxArgument {
    const word = this.#words[this.#at++];
    if (!isToken(word)) return argument(word);
    const next = this.#words[this.#at];
    if (!this.#isItem(next) || next === '[' || next === '<' || isToken(next)) {
      return { ...argument(word.toLowerCase()), type: 'pure-token', token: word };
    }
    this.#at++;
    return { ...argument(next), token: word };
  }
}

function isToken(word: string): boolean {
  return word === word.toUpperCase() && word !== '...';
}

function sameNames(left: readonly SyntaxArgument[], right: readonly SyntaxArgument[]): boolean {
  return left.length === right.length && left.every(({ name }, i) => name === right[i].name);
}

function argument(name: string): SyntaxArgument {
  return {
    name,
    type: TYPES[name] ?? 'string',
    isOptional: false,
    isMultiple: false,
    arguments: [],
  };
}

function block(parts: readonly SyntaxArgument[], isMultiple: boolean): SyntaxArgument {
  const name = parts.map((part) => part.name).join('-');
  return { ...argument(name), type: 'block', isMultiple, arguments: parts };
}
