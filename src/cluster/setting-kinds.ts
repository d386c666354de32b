/** Numbers that settings can be: how each is read, written and described. */
import {
  DURATION_FORM,
  formatDuration,
  formatSize,
  parseDurationMs,
  parseSize,
  SIZE_FORM,
} from './quantities.ts';

export interface Kind<T> {
  /** For the help: `<size>`. */
  readonly label: string;
  /** What is taken, in words that follow 'which is not'. */
  readonly form: string;
  readonly range?: Range;
  parse(text: string): T | undefined;
  format(value: T): string;
}

export interface Range {
  readonly min?: number;
  readonly max?: number;
}

function ranged(kind: Kind<number>, { min = 0, max = Infinity }: Range): Kind<number> {
  const least = min > 0 ? ` of at least ${kind.format(min)}` : '';
  const most = max < Infinity ? `${least ? ' and' : ' of'} at most ${kind.format(max)}` : '';
  return {
    ...kind,
    range: { min, max },
    form: kind.form + least + most,
    parse: (text) => {
      const value = kind.parse(text);
      return value !== undefined && value >= min && value <= max ? value : undefined;
    },
  };
}

/** Bytes. */
export const size = (range: Range = {}): Kind<number> =>
  ranged({ label: '<size>', form: SIZE_FORM, parse: parseSize, format: formatSize }, range);

/** Milliseconds; 0 for none. */
export const duration = (range: Range = {}): Kind<number> => {
  const parse = (text: string) => (text === '0' ? 0 : parseDurationMs(text));
  const format = (durationMs: number) => (durationMs === 0 ? '0' : formatDuration(durationMs));
  return ranged({ label: '<duration>', form: DURATION_FORM, parse, format }, range);
};

export const count = (range: Range = {}): Kind<number> => {
  const parse = (text: string) => (/^-?\d{1,15}$/.test(text) ? Number(text) : undefined);
  return ranged({ label: '<count>', form: 'a whole number', parse, format: String }, range);
};
