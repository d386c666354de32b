/**
 * What a command prints: one report, in the form that was asked for. Data goes to stdout, words
 * to stderr, and in `json` and `yaml` every outcome has the same envelope.
 */
import { stripVTControlCharacters } from 'node:util';
import { ERRORS, type CachectlError } from '../../cluster/errors.ts';

export const OUTPUT_FORMATS = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

interface Column {
  readonly title: string;
  /** Shown with `-o wide` only. */
  readonly wide?: boolean;
  /** Numbers stand at the right, so that they can be compared. */
  readonly align?: 'right';
}

export interface Report {
  /** What `data` is, such as `NodeList`. */
  readonly kind: string;
  /** For machines: plain JSON values. */
  readonly data: unknown;
  /** For people: `table` and `wide`. */
  readonly view: string | { readonly columns: readonly Column[]; readonly rows: readonly Row[] };
  /** What the things shown are called, one a line: `-o name`. */
  readonly names: readonly string[];
}

/** One cell for each column. An empty one is shown as `-`. */
type Row = ReadonlyArray<string | number | undefined>;

export interface Envelope {
  readonly apiVersion: 'cachectl/v1';
  readonly kind: string;
  readonly data: unknown;
  readonly warnings: readonly string[];
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly hint: string;
    readonly details?: Readonly<Record<string, unknown>>;
  } | null;
}

function envelopeOf(report: Report, warnings: readonly string[]): Envelope {
  return {
    apiVersion: 'cachectl/v1',
    kind: report.kind,
    data: report.data,
    warnings,
    error: null,
  };
}

export function envelopeOfError(error: CachectlError, warnings: readonly string[]): Envelope {
  const { code, message, details } = error;
  const hint = error.hint ?? ERRORS[code].remedy;
  const more = details === undefined ? {} : { details };
  return {
    apiVersion: 'cachectl/v1',
    kind: 'Error',
    data: null,
    warnings,
    error: { code, message, hint, ...more },
  };
}

/** The report in one of the forms, with a newline at its end. */
export async function render(
  report: Report,
  format: OutputFormat,
  warnings: readonly string[],
): Promise<string> {
  switch (format) {
    case 'json':
    case 'yaml':
      return serialize(envelopeOf(report, warnings), format);
    case 'name':
      return report.names.map((name) => `${name}\n`).join('');
    case 'table':
    case 'wide':
      if (typeof report.view === 'string') return `${report.view}\n`;
      return table(report.view.columns, report.view.rows, format === 'wide');
  }
}

export async function serialize(envelope: Envelope, format: 'json' | 'yaml'): Promise<string> {
  if (format === 'json') return `${JSON.stringify(envelope, undefined, 2)}\n`;
  const { stringify } = await import('yaml');
  return stringify(envelope, { lineWidth: 0 });
}

const GAP = '  ';

/** Lines, each with its end. */
export function table(columns: readonly Column[], rows: readonly Row[], wide: boolean): string {
  const shown = columns.flatMap((column, at) => (column.wide && !wide ? [] : [{ column, at }]));
  const lines = [
    shown.map(({ column }) => column.title.toUpperCase()),
    ...rows.map((row) => shown.map(({ at }) => cell(row[at]))),
  ];
  const widths = shown.map((_, at) => Math.max(...lines.map((line) => width(line[at]))));
  return lines
    .map((line) => {
      const padded = line.map((text, at) => {
        const space = ' '.repeat(widths[at] - width(text));
        return shown[at].column.align === 'right' ? space + text : text + space;
      });
      return `${padded.join(GAP).trimEnd()}\n`;
    })
    .join('');
}

function cell(value: string | number | undefined): string {
  return value === undefined || value === '' ? '-' : String(value);
}

/** Columns on a terminal: colours take none. */
function width(text: string): number {
  return stripVTControlCharacters(text).length;
}
