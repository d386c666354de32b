/** Flags of the load generator: the kinds of value that only it has. */
import { Flags } from '@oclif/core';
import { parseSize } from '../../cluster/index.ts';
import type { Span } from '../../load/index.ts';
import { badValue } from './kinds.ts';

const SPAN_FORM = "a size such as '100' or '4kb', or two with a dash between, such as '64b-4kb'";

/** A size, or a range of sizes from which one is drawn. */
export const spanFlag = (range: { readonly min: number; readonly max: number }) =>
  Flags.custom<Span>({
    helpValue: '<size>[-<size>]',
    parse: (text, _context, { name }) => {
      const sizes = text.split('-').map(parseSize);
      const [min, max = min] = sizes;
      if (min !== undefined && max !== undefined && sizes.length <= 2 && min <= max) {
        if (min >= range.min && max <= range.max) return Promise.resolve({ min, max });
      }
      const form = `${SPAN_FORM}, from ${range.min} to ${range.max} bytes`;
      return Promise.reject(badValue(`--${name}`, text, form));
    },
  });

/** A number that need not be whole. */
export const decimalFlag = (range: { readonly min: number; readonly max: number }) =>
  Flags.custom<number>({
    helpValue: '<number>',
    parse: (text, _context, { name }) => {
      const value = /^\d+(\.\d+)?$|^\.\d+$/.test(text) ? Number(text) : NaN;
      if (value >= range.min && value <= range.max) return Promise.resolve(value);
      const form = `a number from ${range.min} to ${range.max}`;
      return Promise.reject(badValue(`--${name}`, text, form));
    },
  });
