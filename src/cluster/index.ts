/**
 * The domain of a cluster, pure: what nodes, meta peers, proxies and clients must agree on without
 * a word between them.
 *
 * Read `slots.ts`: where a key belongs. Then `errors.ts`: what can go wrong, and how each part says
 * so; and `quantities.ts`: how people write sizes, durations and addresses.
 */
export {
  CachectlError,
  ERRORS,
  EXIT,
  EXIT_MEANINGS,
  type ErrorCode,
  type ErrorEntry,
  type ExitCode,
} from './errors.ts';
export {
  ADDRESS_FORM,
  DURATION_FORM,
  SIZE_FORM,
  formatDuration,
  formatSize,
  parseAddress,
  parseDurationMs,
  parseSize,
} from './quantities.ts';
export { SLOT_COUNT, slotOfKey } from './slots.ts';
export { suggest } from './suggest.ts';
