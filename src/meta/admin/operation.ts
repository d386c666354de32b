/** What an operation of the admin API is. The table of them is `schemas.ts`. */
import { z } from 'zod';
import { revisionSchema, type ErrorCode } from '../../cluster/index.ts';

export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Operation<
  Name extends string = string,
  Input extends z.ZodObject = z.ZodObject,
  Output extends z.ZodType = z.ZodType,
> {
  readonly name: Name;
  readonly method: HttpMethod;
  /** Words in braces are fields of the input; of a GET or DELETE the other ones are the query. */
  readonly path: string;
  readonly summary: string;
  readonly input: Input;
  readonly output: Output;
  readonly isWrite: boolean;
  /** Beside those that every operation has: `COMMON_ERRORS`. */
  readonly errors: readonly ErrorCode[];
}

/** Of every operation. */
export const COMMON_ERRORS: readonly ErrorCode[] = [
  'ERR_CACHECTL_VALUE',
  'ERR_CACHECTL_AUTH',
  'ERR_CACHECTL_OVERLOADED',
  'ERR_CACHECTL_NOT_LEADER',
  'ERR_CACHECTL_NO_QUORUM',
  'ERR_CACHECTL_TIMEOUT',
  'ERR_CACHECTL_FAILED',
];

/** What every operation that writes takes beside its own. */
export const writeFields = {
  actor: z.string().max(255).optional().meta({ description: 'Who does this, for the audit log.' }),
};

/** The same, of those that change one record which can be changed by others meanwhile. */
export const guardedFields = {
  ...writeFields,
  ifRevision: revisionSchema
    .optional()
    .meta({ description: 'Refused as a conflict unless the record is still of this revision.' }),
};

/** What every operation that writes answers beside its own. */
export const writtenFields = {
  /** Of the commit. */
  revision: revisionSchema,
  /** What was done all the same, and should be known. */
  warnings: z.array(z.string()),
};

/** Of lists that may be long. */
export const pageFields = {
  after: z.string().max(255).optional().meta({ description: 'The last name of the page before.' }),
  limit: z.int().min(1).max(10_000).default(1000),
};

export const operation = <
  const Name extends string,
  Input extends z.ZodRawShape,
  Output extends z.ZodType,
>(
  name: Name,
  route: `${HttpMethod} /v1/${string}`,
  summary: string,
  input: Input,
  output: Output,
  errors: readonly ErrorCode[] = [],
) => {
  const [method, path] = splitRoute(route);
  const isWrite = method !== 'GET';
  return { name, method, path, summary, input: z.strictObject(input), output, isWrite, errors };
};

function splitRoute(route: `${HttpMethod} ${string}`): [HttpMethod, string] {
  const METHODS: readonly HttpMethod[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
  const [word, path = ''] = route.split(' ');
  return [METHODS.find((method) => method === word) ?? 'GET', path];
}
