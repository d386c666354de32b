/** A failure in words: what was violated, what led to it in columns, and how to see it again. */
import type { RunResult } from './run.ts';
import type { Scenario } from './scenario.ts';
import type { Transition } from './simulation.ts';

export interface ReportOptions {
  /** The command that runs it again. */
  readonly replay: string;
  /** How many of the last transitions are shown. */
  readonly transitions?: number;
}

const TRANSITIONS_DEFAULT = 20;
const COLUMN_WIDTH_MAX = 34;
const COLUMN_WIDTH_MIN = 8;
const LINE_WIDTH = 120;
const TIME_WIDTH = 11;

/** @returns lines without a newline at the end; the run must have failed */
export function reportFailure(
  scenario: Scenario,
  result: RunResult,
  { replay, transitions = TRANSITIONS_DEFAULT }: ReportOptions,
): string {
  const { failure } = result;
  if (failure === undefined) throw new Error('the run has not failed');
  const faults = scenario.faults.length;
  const lines = [
    `oracle    ${failure.oracle}`,
    `violated  ${failure.sentence}`,
    `when      ${milliseconds(failure.timeUs)} ms of virtual time, after ${result.steps} events`,
    `scenario  ${scenario.world}, seed ${scenario.seed}: ${scenario.peers.length} peers, ` +
      `${scenario.operations.length} operations, ${faults} faults`,
    `trace     ${result.traceHash}`,
    '',
    ...columns(
      scenario.peers.map(({ name }) => name),
      result.transitions.slice(-transitions),
    ),
    '',
  ];
  if (failure.stack !== undefined) lines.push(failure.stack, '');
  lines.push(`replay    ${replay}`);
  return lines.join('\n');
}

/** One column a peer; what happened to the world stands across them. */
export function columns(names: readonly string[], transitions: readonly Transition[]): string[] {
  const share = Math.floor((LINE_WIDTH - TIME_WIDTH) / Math.max(1, names.length)) - 3;
  const width = Math.min(COLUMN_WIDTH_MAX, Math.max(COLUMN_WIDTH_MIN, share));
  const row = (time: string, cells: readonly string[]): string =>
    [time.padStart(TIME_WIDTH), ...cells.map((cell) => cell.padEnd(width))].join(' │ ').trimEnd();
  const rule = '─'.repeat(TIME_WIDTH + 1) + `┼${'─'.repeat(width + 2)}`.repeat(names.length);
  const lines = [row('ms', names), rule];
  for (const { timeUs, process, words } of transitions) {
    const time = milliseconds(timeUs);
    const column = process === undefined ? -1 : names.indexOf(process);
    if (column === -1) {
      const who = process === undefined ? '' : `${process}: `;
      lines.push(`${time.padStart(TIME_WIDTH)} ╪ ${who}${words}`);
      continue;
    }
    wrap(words, width).forEach((part, i) => {
      const cells = names.map((_, j) => (j === column ? part : ''));
      lines.push(row(i === 0 ? time : '', cells));
    });
  }
  return lines;
}

function milliseconds(timeUs: number): string {
  const whole = Math.floor(timeUs / 1000);
  return `${whole}.${String(timeUs % 1000).padStart(3, '0')}`;
}

function wrap(words: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of words.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
    while (line.length > width) {
      lines.push(line.slice(0, width));
      line = line.slice(width);
    }
  }
  return [...lines, line];
}
