import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatDuration,
  formatSize,
  parseAddress,
  parseDurationMs,
  parseSize,
} from './quantities.ts';

describe('sizes', () => {
  test('read back as they are written', () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (bytes) => {
        expect(parseSize(formatSize(bytes))).toBe(bytes);
        expect(parseSize(String(bytes))).toBe(bytes);
      }),
    );
  });

  test.each([
    ['64mb', 67_108_864],
    ['1.5gb', 1_610_612_736],
    ['1.5 GB', 1_610_612_736],
    [' 10KB ', 10_240],
    ['0', 0],
    ['7b', 7],
    ['2TB', 2_199_023_255_552],
  ])('%j', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each([
    '',
    'mb',
    '-1',
    '-64mb',
    '1e3',
    '0x10',
    '64 m b',
    '64mib',
    '1..5gb',
    'NaN',
    '9007199254740993tb',
    '64mb; rm',
  ])('refuses %j', (text) => {
    expect(parseSize(text)).toBeUndefined();
  });

  test('take no property of objects for a unit', () => {
    expect(parseSize('1constructor')).toBeUndefined();
    expect(parseSize('1toString')).toBeUndefined();
  });
});

describe('durations', () => {
  test('read back as they are written', () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (durationMs) => {
        expect(parseDurationMs(formatDuration(durationMs))).toBe(durationMs);
      }),
    );
  });

  test.each([
    ['250ms', 250],
    ['1.5s', 1500],
    ['10m', 600_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['0s', 0],
  ])('%j', (text, durationMs) => {
    expect(parseDurationMs(text)).toBe(durationMs);
  });

  test.each(['250', '', 'ms', '-1s', '1 week', '10min', 'forever'])('refuses %j', (text) => {
    expect(parseDurationMs(text)).toBeUndefined();
  });
});

describe('addresses', () => {
  test.each([
    ['127.0.0.1:7400', { host: '127.0.0.1', port: 7400 }],
    ['cache-1.internal:0', { host: 'cache-1.internal', port: 0 }],
    ['[::1]:65535', { host: '::1', port: 65_535 }],
  ])('%j', (text, address) => {
    expect(parseAddress(text)).toEqual(address);
  });

  test.each([
    '7400',
    ':7400',
    'localhost',
    'localhost:',
    '::1:7400',
    'a b:1',
    'h:65536',
    'h:-1',
    'h:1:2',
    'http://h:1',
  ])('refuses %j', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });
});
