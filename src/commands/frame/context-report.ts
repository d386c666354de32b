import type { Contexts } from './contexts.ts';
import type { Report } from './output.ts';

/** Tokens are not shown. */
export function contextReport({ current, contexts }: Contexts): Report {
  const rows = Object.entries(contexts).map(([name, { meta, token }]) => ({
    name,
    meta,
    isCurrent: name === current,
    hasToken: token !== undefined,
  }));
  return {
    kind: 'ContextList',
    data: rows,
    view: {
      columns: [{ title: 'in use' }, { title: 'name' }, { title: 'meta' }, { title: 'token' }],
      rows: rows.map(({ name, meta, isCurrent, hasToken }) => [
        ...[isCurrent ? '*' : '', name, meta, hasToken ? 'yes' : 'no'],
      ]),
    },
    names: rows.map(({ name }) => name),
  };
}
