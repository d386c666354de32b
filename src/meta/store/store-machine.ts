/** The metadata store as what a Raft log drives: commands in, answers out, snapshots of it all. */
import type { StateMachine } from '../../raft/index.ts';
import type { Timers } from '../../runtime/index.ts';
import { decodeStoreCommand, encodeApplied } from './codec.ts';
import { Keyspace } from './keyspace.ts';
import { decodeSnapshot, encodeSnapshot } from './snapshot-codec.ts';
import { Watches } from './watches.ts';

export class StoreMachine implements StateMachine {
  readonly keyspace = new Keyspace();
  readonly watches: Watches;

  constructor(timers: Pick<Timers, 'defer'>) {
    this.watches = new Watches(this.keyspace, timers);
  }

  apply(bytes: Uint8Array): Uint8Array {
    const command = decodeStoreCommand(bytes);
    this.watches.changed();
    if (command.kind === 'commit') {
      return encodeApplied(this.keyspace.commit(command.transaction, command.bound));
    }
    return encodeApplied({ kind: 'committed', revision: this.keyspace.compact(command.through) });
  }

  snapshot(): Iterable<Uint8Array> {
    return encodeSnapshot(this.keyspace.freeze());
  }

  restore(pieces: Iterable<Uint8Array>): void {
    const { revision, entries, history } = decodeSnapshot(pieces);
    this.keyspace.replace(revision, entries, history);
    this.watches.changed();
  }
}
