/** What two values have in common. */
import {
  writeArrayHeader,
  writeBulk,
  writeBulkText,
  writeInteger,
  writeMapHeader,
  type RespVersion,
} from '../../resp/index.ts';
import type { OutputBuffer } from '../../runtime/index.ts';
import type { Call } from '../call.ts';
import type { CommandSpec } from '../command.ts';
import { CommonSubsequence, type CommonRange } from '../common-subsequence.ts';
import { ERRORS } from '../errors.ts';

interface LcsOptions {
  isLengthOnly: boolean;
  givesRanges: boolean;
  givesLengths: boolean;
  lengthMin: number;
}

function lcs(call: Call): void {
  const refA = call.read(1);
  const refB = call.read(2);
  const options = parseOptions(call);
  if (options === undefined) return;
  const { arena } = call.engine;
  const lengthA = refA === 0 ? 0 : arena.valueLength(refA);
  const lengthB = refB === 0 ? 0 : arena.valueLength(refB);
  if (!CommonSubsequence.accepts(lengthA, lengthB)) {
    call.fail('ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len');
    return;
  }
  const { version } = call;
  const common = new CommonSubsequence(
    copyOfValue(call, refA),
    copyOfValue(call, refB),
    options.isLengthOnly,
  );
  call.node.longCommands.start(call, {
    step: () => common.step(),
    reply: (out) => {
      if (options.givesRanges) writeRanges(out, common, options, version);
      else if (options.isLengthOnly) writeInteger(out, common.length);
      else writeBulk(out, common.result);
    },
  });
}

/** The command may outlast the record. A missing value counts as empty. */
function copyOfValue(call: Call, ref: number): Uint8Array {
  if (ref === 0) return new Uint8Array(0);
  const { arena } = call.engine;
  const start = arena.valueStart(ref);
  return arena.octets(ref).slice(start, start + arena.valueLength(ref));
}

function parseOptions(call: Call): LcsOptions | undefined {
  const options = { isLengthOnly: false, givesRanges: false, givesLengths: false, lengthMin: 0 };
  for (let i = 3; i < call.count; i++) {
    const word = call.word(i);
    if (word === 'len') {
      options.isLengthOnly = true;
    } else if (word === 'idx') {
      options.givesRanges = true;
    } else if (word === 'withmatchlen') {
      options.givesLengths = true;
    } else if (word === 'minmatchlen' && i + 1 < call.count) {
      options.lengthMin = call.integer(++i);
      if (Number.isNaN(options.lengthMin)) return undefined;
    } else {
      call.fail(ERRORS.syntax);
      return undefined;
    }
  }
  if (options.isLengthOnly && options.givesRanges) {
    call.fail('ERR If you want both the length and indexes, please just use IDX.');
    return undefined;
  }
  return options;
}

function writeRanges(
  out: OutputBuffer,
  common: CommonSubsequence,
  options: LcsOptions,
  version: RespVersion,
): void {
  const ranges = common.ranges.filter((range) => lengthOf(range) >= options.lengthMin);
  writeMapHeader(out, 2, version);
  writeBulkText(out, 'matches');
  writeArrayHeader(out, ranges.length);
  for (const range of ranges) {
    writeArrayHeader(out, options.givesLengths ? 3 : 2);
    writeArrayHeader(out, 2);
    writeInteger(out, range.aStart);
    writeInteger(out, range.aEnd);
    writeArrayHeader(out, 2);
    writeInteger(out, range.bStart);
    writeInteger(out, range.bEnd);
    if (options.givesLengths) writeInteger(out, lengthOf(range));
  }
  writeBulkText(out, 'len');
  writeInteger(out, common.length);
}

function lengthOf(range: CommonRange): number {
  return range.aEnd - range.aStart + 1;
}

export const LCS_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'lcs',
    arity: -3,
    flags: ['readonly'],
    keys: [{ first: 1, last: 2, step: 1, access: 'RO access' }],
    group: 'string',
    summary: 'Returns the longest subsequence that two values have in common.',
    since: '7.0.0',
    complexity: 'O(N*M) with N and M the lengths of the values',
    syntax: 'key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]',
    maySlow: true,
    run: lcs,
  },
];
