import { Args } from '@oclif/core';
import type { PeerView } from '../../meta/admin/index.ts';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { peerReport } from '../frame/admin-views.ts';
import { pause } from '../frame/pause.ts';

const LOOK_MS = 50;
/** One second: an election takes less, and what is then is shown. */
const LOOKS_MAX = 20;

export default class MetaTransferLeader extends AdminCommand {
  static override summary = 'Let another meta peer lead.';
  static override examples = [
    '<%= config.bin %> meta transfer-leader',
    '<%= config.bin %> meta transfer-leader m2',
  ];
  static override args = {
    to: Args.string({
      description: 'The peer that is to lead; the one that is furthest, where none is named.',
      required: false,
      ignoreStdin: true,
    }),
  };
  static override flags = { ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(MetaTransferLeader);
    const { to } = args;
    const input = to === undefined ? {} : { to };
    let { peers } = await this.ask(flags, 'meta.transfer-leader', input);
    // It was answered by the one that leads no more, as its last deed.
    const before = leaderOf(peers);
    for (let look = 0; look < LOOKS_MAX; look++) {
      const leader = leaderOf(peers);
      if (leader !== undefined && (to === undefined ? leader !== before : leader === to)) break;
      await pause(LOOK_MS);
      ({ peers } = await this.ask(flags, 'meta.peers', {}));
    }
    await this.print(peerReport(peers));
  }
}

function leaderOf(peers: readonly PeerView[]): string | undefined {
  return peers.find(({ role }) => role === 'leader')?.name;
}
