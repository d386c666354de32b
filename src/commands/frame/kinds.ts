/** The kinds of value that settings and flags have: how each is read, written and described. */
import {
  ADDRESS_FORM,
  CachectlError,
  DURATION_FORM,
  SIZE_FORM,
  formatDuration,
  formatSize,
  parseAddress,
  parseDurationMs,
  parseSize,
} from '../../cluster/index.ts';
import type { Address } from '../../runtime/index.ts';

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

export const choice = <T extends string>(values: readonly T[]): Kind<T> => ({
  label: values.join('|'),
  form: `one of ${values.join(', ')}`,
  parse: (text) => values.find((value) => value === text),
  format: (value) => value,
});

export const word = (form: string, pattern: RegExp): Kind<string> => ({
  label: '<word>',
  form,
  parse: (text) => (pattern.test(text) ? text : undefined),
  format: (value) => value,
});

export const address: Kind<Address> = {
  label: '<host:port>',
  form: ADDRESS_FORM,
  parse: parseAddress,
  format: ({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`),
};

/** @param shown the value, unless it is a secret. */
export function badValue(place: string, shown: string | undefined, form: string): CachectlError {
  const what = shown === undefined ? 'has a value that' : `is '${shown}', which`;
  return new CachectlError('ERR_CACHECTL_VALUE', `${place} ${what} is not ${form}`);
}
