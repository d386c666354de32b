/** Graphs in characters, as `LATENCY GRAPH` shows them. */

export interface SparklineSample {
  readonly value: number;
  /** Written downwards below the sample. */
  readonly label: string;
}

const ROWS = 4;
const COLUMNS = 80;
/** From the lowest third of a row to the highest. */
const TOPS = ['_', 'o', '#'];

/** A filled graph, in lines; where there are more samples than fit into a line, several of them. */
export function sparkline(samples: readonly SparklineSample[]): string {
  const values = samples.map(({ value }) => value);
  const low = Math.min(...values);
  const range = Math.max(...values) - low;
  const heights = values.map((value) => heightOf(value - low, range));
  const blocks: string[] = [];
  for (let from = 0; from < samples.length; from += COLUMNS) {
    const labels = samples.slice(from, from + COLUMNS).map(({ label }) => label);
    blocks.push(block(heights.slice(from, from + COLUMNS), labels));
  }
  return blocks.join('\n');
}

function heightOf(value: number, range: number): number {
  const steps = ROWS * TOPS.length;
  return range === 0 ? 0 : Math.min(steps - 1, Math.floor((value * steps) / range));
}

function block(heights: readonly number[], labels: readonly string[]): string {
  const lines: string[] = [];
  for (let row = ROWS - 1; row >= 0; row--) {
    lines.push(heights.map((height) => character(height - row * TOPS.length)).join(''));
  }
  lines.push(' '.repeat(labels.length));
  const labelLines = Math.max(...labels.map((label) => label.length));
  for (let line = 0; line < labelLines; line++) {
    lines.push(labels.map((label) => label.charAt(line) || ' ').join(''));
  }
  return lines.map((line) => `${line}\n`).join('');
}

function character(height: number): string {
  if (height < 0) return ' ';
  return TOPS[height] ?? '|';
}
