/** What `steady-client.ts` is told to do, and what it answers. */
import { z } from 'zod';

export const clientPlanSchema = z.object({
  port: z.number(),
  keys: z.number(),
  valueBytes: z.number(),
  opsPerSecond: z.number(),
  /** The share of reads. */
  reads: z.number(),
});

export const phaseSchema = z.object({
  operations: z.number(),
  seconds: z.number(),
  /** Milliseconds. */
  p50: z.number(),
  p99: z.number(),
  max: z.number(),
  errors: z.number(),
  /** The first one. */
  words: z.string().optional(),
});

export type ClientPlan = z.infer<typeof clientPlanSchema>;
export type Phase = z.infer<typeof phaseSchema>;
