import { describe, expect, it } from 'vitest';
import { parseSyntax, type SyntaxArgument } from './syntax.ts';

/** A short form to compare with. */
function short(argument: SyntaxArgument): string {
  const parts = argument.arguments.map(short);
  const shown = parts.length === 0 ? argument.name : `(${parts.join(' ')})`;
  const token = argument.token === undefined ? '' : `${argument.token}:`;
  const marks = `${argument.isOptional ? '?' : ''}${argument.isMultiple ? '+' : ''}`;
  return `${token}${argument.type}=${shown}${marks}`;
}

describe('the syntax of a command', () => {
  it.for([
    ['', ''],
    ['key value', 'key=key string=value'],
    ['key [key ...]', 'key=key+'],
    ['key value [key value ...]', 'block=(key=key string=value)+'],
    [
      'cursor [MATCH pattern] [COUNT count]',
      'integer=cursor MATCH:pattern=pattern? COUNT:integer=count?',
    ],
    [
      'key [NX | XX] [GET]',
      'key=key oneof=(NX:pure-token=nx XX:pure-token=xx)? GET:pure-token=get?',
    ],
    ['<ON | OFF>', 'oneof=(ON:pure-token=on OFF:pure-token=off)'],
    ['<YES | NO> [x]', 'oneof=(YES:pure-token=yes NO:pure-token=no) string=x?'],
    [
      '[EX seconds | PXAT unix-time-milliseconds | KEEPTTL]',
      'oneof=(EX:integer=seconds PXAT:unix-time=unix-time-milliseconds KEEPTTL:pure-token=keepttl)?',
    ],
    [
      'key [start end [BYTE | BIT]]',
      'key=key block=(integer=start integer=end oneof=(BYTE:pure-token=byte BIT:pure-token=bit)?)?',
    ],
    [
      '[protover [AUTH username password]]',
      'block=(integer=protover block=(AUTH:string=username string=password)?)?',
    ],
    ['[PREFIX prefix [PREFIX prefix ...]]', 'PREFIX:string=prefix?+'],
    ['[event [event ...]]', 'string=event?+'],
  ])('%s', ([syntax, expected]) => {
    expect(parseSyntax(syntax).map(short).join(' ')).toBe(expected);
  });

  it('has its brackets in pairs', () => {
    expect(() => parseSyntax('key]')).toThrow('brackets');
  });
});
