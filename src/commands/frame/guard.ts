/** `--if-revision`: a change is refused where what it changes is not as it was seen. */
import { asRevision, type Revision } from '../../cluster/ids.ts';
import { countFlag } from './flags.ts';

export const revisionFlag = countFlag({ min: 0 })({
  summary: 'Refused, with exit code 6, unless it is still of this revision (see -o wide or json).',
});

export function guardOf(flags: { readonly 'if-revision'?: number | undefined }): {
  ifRevision?: Revision;
} {
  const revision = flags['if-revision'];
  return revision === undefined ? {} : { ifRevision: asRevision(revision) };
}
