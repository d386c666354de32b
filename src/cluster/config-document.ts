/** Configuration that is versioned, kept with its history, and rolled out in waves. */
import { z } from 'zod';
import { nameSchema, nodeIdSchema } from './ids.ts';

/** Settings of nodes by the names of their flags, such as `max-value: 1mb`. */
export const configValuesSchema = z.record(
  z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'a setting is named by its flag'),
  z.union([z.string().max(1000), z.number(), z.boolean()]),
);

export const configDocumentSchema = z.strictObject({
  name: nameSchema,
  version: z.int().min(1),
  values: configValuesSchema,
  author: z.string().max(255),
  message: z.string().max(1000),
  createdAtMs: z.int().min(0),
});

/** `canary`: one node; `quarter`: of the nodes; `all`. */
export const rolloutSchema = z.strictObject({
  document: nameSchema,
  version: z.int().min(1),
  /** Which version the nodes outside of the wave have; 0: none. */
  versionBefore: z.int().min(0),
  phase: z.enum(['canary', 'quarter', 'all', 'done', 'rolled-back']),
  isPaused: z.boolean(),
  /** The nodes that have the new version. */
  nodes: z.array(nodeIdSchema),
  /** When the wave began; the next one follows a healthy while later. */
  waveSinceMs: z.int().min(0),
  error: z.string().max(500).optional(),
});

export type ConfigValues = Readonly<z.infer<typeof configValuesSchema>>;
export type ConfigDocument = Readonly<z.infer<typeof configDocumentSchema>>;
export type Rollout = Readonly<z.infer<typeof rolloutSchema>>;
