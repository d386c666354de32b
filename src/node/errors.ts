/** Error replies that several commands share, in Redis' words where Redis has the case. */
export const ERRORS = Object.freeze({
  syntax: 'ERR syntax error',
  notInteger: 'ERR value is not an integer or out of range',
  notFloat: 'ERR value is not a valid float',
  notFiniteSum: 'ERR increment would produce NaN or Infinity',
  overflow: 'ERR increment or decrement would overflow',
  offset: 'ERR offset is out of range',
  wrongPass: 'WRONGPASS invalid username-password pair or user is disabled.',
  noDatabase: 'ERR DB index is out of range',
  noSuchKey: 'ERR no such key',
  noRoom: "OOM command not allowed when used memory > 'maxmemory'.",
  /** `CONFIG GET proto-max-bulk-len` tells the limit; the setting is `valueBytesMax`. */
  valueTooLong: 'ERR string exceeds maximum allowed size (proto-max-bulk-len)',
});
