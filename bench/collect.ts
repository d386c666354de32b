import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Collects all garbage, twice: what a first pass frees late is gone after the second. */
export function collect(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc(); gc();');
}
