/** The kinds of value that settings and flags have: how each is read, written and described. */
import { CachectlError } from '../../cluster/errors.ts';
import { ADDRESS_FORM, parseAddress } from '../../cluster/quantities.ts';
import type { Kind } from '../../cluster/setting-kinds.ts';
import type { Address } from '../../runtime/index.ts';

export { count, duration, size, type Kind, type Range } from '../../cluster/setting-kinds.ts';

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

/** One or more, with commas between them. */
export const addresses: Kind<readonly Address[]> = {
  label: '<host:port,…>',
  form: `${ADDRESS_FORM}, or several with commas between them`,
  parse: (text) => {
    const all = text.split(',').map((part) => parseAddress(part));
    const found = all.filter((each) => each !== undefined);
    return found.length === all.length ? found : undefined;
  },
  format: (all) => all.map((each) => address.format(each)).join(','),
};

/** @param shown the value, unless it is a secret. */
export function badValue(place: string, shown: string | undefined, form: string): CachectlError {
  const what = shown === undefined ? 'has a value that' : `is '${shown}', which`;
  return new CachectlError('ERR_CACHECTL_VALUE', `${place} ${what} is not ${form}`);
}
