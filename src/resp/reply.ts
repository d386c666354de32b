/**
 * What a reply is to a client's code: a plain value where JavaScript has one that fits, and one
 * of four small classes where it has none.
 *
 * | on the wire                     | here                                     |
 * |---------------------------------|------------------------------------------|
 * | simple string `+`               | `string`                                 |
 * | bulk string `$`                 | `Uint8Array`, the reader's own           |
 * | integer `:`                     | `number`, or `bigint` beyond 2^53        |
 * | double `,`                      | `number`                                 |
 * | boolean `#`                     | `boolean`                                |
 * | big number `(`                  | `bigint`                                 |
 * | null `_`, `$-1`, `*-1`          | `null`                                   |
 * | array `*`, push `>`             | array                                    |
 * | map `%`                         | `ReplyMap`                               |
 * | set `~`                         | `ReplySet`                               |
 * | error `-`, `!`                  | `ReplyError`                             |
 * | verbatim text `=`               | `VerbatimText`                           |
 *
 * The bytes of a short bulk string are a part of a larger `buffer` that others share, so one that is
 * kept for long is better copied.
 */

export type Reply =
  | string
  | number
  | bigint
  | boolean
  | null
  | Uint8Array
  | readonly Reply[]
  | ReplyMap
  | ReplySet
  | ReplyError
  | VerbatimText;

/** An error that the server answered. A value, not an exception: it arrives in its turn. */
export class ReplyError {
  /** All of it, such as `MOVED 3999 127.0.0.1:6381`. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** The first word, such as `MOVED`. */
  get code(): string {
    const space = this.text.indexOf(' ');
    return space < 0 ? this.text : this.text.slice(0, space);
  }
}

export class ReplyMap {
  /** In the order of arrival; keys may be of any type, and may come twice. */
  readonly pairs: ReadonlyArray<readonly [key: Reply, value: Reply]>;

  constructor(pairs: ReadonlyArray<readonly [Reply, Reply]>) {
    this.pairs = pairs;
  }

  /** The value of the first key that is this text, as a bulk or a simple string. */
  get(name: string): Reply | undefined {
    return this.pairs.find(([key]) => replyText(key) === name)?.[1];
  }
}

export class ReplySet {
  readonly members: readonly Reply[];

  constructor(members: readonly Reply[]) {
    this.members = members;
  }
}

/** Text for people. */
export class VerbatimText {
  /** Three letters: `txt`, or `mkd` for Markdown. */
  readonly format: string;
  readonly text: string;

  constructor(format: string, text: string) {
    this.format = format;
    this.text = text;
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** The text of a string of any kind; undefined for what is not one. */
export function replyText(reply: Reply): string | undefined {
  if (typeof reply === 'string') return reply;
  if (reply instanceof Uint8Array) return decoder.decode(reply);
  return reply instanceof VerbatimText ? reply.text : undefined;
}
