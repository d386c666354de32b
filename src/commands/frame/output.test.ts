import { styleText } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { CachectlError } from '../../cluster/index.ts';
import { envelopeOfError, render, type Report } from './output.ts';

const report: Report = {
  kind: 'NodeList',
  data: [{ name: 'n1', keys: 12 }],
  view: {
    columns: [{ title: 'name' }, { title: 'keys', align: 'right' }, { title: 'zone', wide: true }],
    rows: [
      ['n1', 12, 'a'],
      [styleText('red', 'node-2', { validateStream: false }), 1234, undefined],
    ],
  },
  names: ['n1', 'node-2'],
};

/** Colours apart, since a terminal shows them without width. */
const lines = (text: string) =>
  // oxlint-disable-next-line eslint/no-control-regex -- the escape that begins a colour
  text.replaceAll(/\u001B\[\d+m/g, '').split('\n');

describe('a report', () => {
  test('as a table: columns in line, numbers at the right, no trailing space', async () => {
    expect(lines(await render(report, 'table', []))).toEqual([
      'NAME    KEYS',
      'n1        12',
      'node-2  1234',
      '',
    ]);
  });

  test('wide shows every column, and a dash for what is not there', async () => {
    expect(lines(await render(report, 'wide', []))).toEqual([
      'NAME    KEYS  ZONE',
      'n1        12  a',
      'node-2  1234  -',
      '',
    ]);
  });

  test('as names, one a line', async () => {
    expect(await render(report, 'name', [])).toBe('n1\nnode-2\n');
  });

  test('as JSON and YAML in one envelope', async () => {
    const envelope = {
      apiVersion: 'cachectl/v1',
      kind: 'NodeList',
      data: [{ name: 'n1', keys: 12 }],
      warnings: ['slow'],
      error: null,
    };
    expect(JSON.parse(await render(report, 'json', ['slow']))).toEqual(envelope);
    expect(parse(await render(report, 'yaml', ['slow']))).toEqual(envelope);
  });

  test('of text is that text in a table', async () => {
    expect(await render({ ...report, view: 'twelve keys' }, 'wide', [])).toBe('twelve keys\n');
  });
});

test('an error has the same envelope, with the hint that its code has unless it brings one', () => {
  const error = new CachectlError('ERR_CACHECTL_NOT_FOUND', "no node 'n9'");
  expect(envelopeOfError(error, [])).toEqual({
    apiVersion: 'cachectl/v1',
    kind: 'Error',
    data: null,
    warnings: [],
    error: {
      code: 'ERR_CACHECTL_NOT_FOUND',
      message: "no node 'n9'",
      hint: 'List what there is.',
    },
  });
  const hinted = new CachectlError('ERR_CACHECTL_NOT_FOUND', 'no', { hint: 'Look elsewhere.' });
  expect(envelopeOfError(hinted, []).error?.hint).toBe('Look elsewhere.');
});
