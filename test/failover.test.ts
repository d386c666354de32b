/** A planned switch as its operator sees it: from whom to whom, and the receipt that it leaves. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { ClusterProcesses } from './support/cluster-processes.ts';

let cluster: ClusterProcesses;

beforeAll(async () => {
  cluster = await ClusterProcesses.start({ nodes: 2, replicas: 1, metaPeers: 1 });
});

afterAll(async () => cluster?.[Symbol.asyncDispose]());

const shownSchema = z.object({
  shard: z.object({ copies: z.array(z.object({ name: z.string(), role: z.string() })) }),
});

async function primaryOf(shard: string): Promise<string | undefined> {
  const shown = shownSchema.parse(await cluster.data('shard', 'show', shard));
  return shown.shard.copies.find(({ role }) => role === 'primary')?.name;
}

const receiptsSchema = z.array(
  z.object({
    epoch: z.number(),
    shard: z.number(),
    kind: z.string(),
    oldPrimaryName: z.string().nullable(),
    newPrimaryName: z.string().nullable(),
    writesAtRisk: z.number(),
  }),
);

async function receipts(...flags: readonly string[]): Promise<z.infer<typeof receiptsSchema>> {
  return receiptsSchema.parse(await cluster.data('receipt', 'list', ...flags));
}

/** The cells of a table's rows: none of them has a space in it, but a time of day. */
function rowsOf(data: string): string[][] {
  const [, ...lines] = data.trimEnd().split('\n');
  return lines.map((line) => line.trim().split(/\s{2,}/));
}

test('a failover says who was primary, and its receipt is listed', async () => {
  const before = await primaryOf('3');
  const other = cluster.nodes.map(({ name }) => name).find((name) => name !== before);
  const { code, data } = await cluster.cachectl('failover', '3', '--wait');
  expect(code).toBe(0);
  expect(rowsOf(data)[0].slice(1, 6)).toEqual(['3', 'switch', before, other, 'done']);
  expect(await primaryOf('3')).toBe(other);
  const moves = await cluster.cachectl('move', 'list', '--all');
  expect(rowsOf(moves.data).at(-1)?.slice(1, 6)).toEqual(['3', 'switch', before, other, 'done']);

  await cluster.cachectl('failover', '5', '--wait');
  expect(await receipts()).toHaveLength(2);
  const [receipt, ...rest] = await receipts('--shard', '3');
  expect(rest).toEqual([]);
  expect(receipt).toMatchObject({
    ...{ shard: 3, kind: 'switch', oldPrimaryName: before, newPrimaryName: other },
    writesAtRisk: 0,
  });
  expect((await receipts('--limit', '1')).map(({ shard }) => shard)).toEqual([5]);
  expect(await receipts('--since', '1h')).toHaveLength(2);
  expect(await receipts('--shard', '4')).toEqual([]);
});

test('receipts have every form that lists have', async () => {
  const { data: table } = await cluster.cachectl('receipt', 'list', '--shard', '3');
  expect(table).toMatch(/^EPOCH +SHARD +KIND +FROM +TO +WHEN +WRITES AT RISK +BYTES +TIME\n/);
  const { data: wide } = await cluster.cachectl('receipt', 'list', '-o', 'wide');
  expect(wide).toMatch(/^EPOCH .* OFFSET BEFORE +OFFSET AFTER\n/);
  const [{ epoch }] = await receipts('--shard', '3');
  const names = await cluster.cachectl('receipt', 'list', '--shard', '3', '-o', 'name');
  expect(names.data).toBe(`${epoch}/3\n`);
  const yaml = await cluster.cachectl('receipt', 'list', '--shard', '3', '-o', 'yaml');
  expect(yaml.data).toContain('kind: ReceiptList\n');
  const bad = await cluster.cachectl('receipt', 'list', '--shard', '16384');
  expect(bad.code).toBe(2);
  expect(bad.output).toContain("--shard is '16384'");
});
