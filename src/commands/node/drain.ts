import { Args } from '@oclif/core';
import { CachectlError } from '../../cluster/errors.ts';
import type { NodeView } from '../../meta/admin/index.ts';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { guardOf, revisionFlag } from '../frame/guard.ts';
import { nodeReport } from '../frame/admin-views.ts';
import { pause } from '../frame/pause.ts';
import { withProgress } from '../frame/progress.ts';
import { waitFlag } from '../frame/wait-for-moves.ts';

const LOOK_MS = 250;
/** Five seconds: moves that failed are begun anew sooner. */
const LOOKS_IN_VAIN_MAX = 20;

export default class NodeDrain extends AdminCommand {
  static override summary = 'Have the shards of a node go elsewhere, without loss.';
  static override description =
    'Its shards are moved one after the other while they serve, and the node keeps running: once ' +
    'it holds none it can be stopped, and removed with node remove.';
  static override examples = [
    '<%= config.bin %> node drain n1',
    '<%= config.bin %> node drain n1 --wait',
  ];
  static override args = {
    node: Args.string({ description: 'Its name or id.', required: true, ignoreStdin: true }),
  };
  static override flags = { 'if-revision': revisionFlag, wait: waitFlag, ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodeDrain);
    const input = { node: args.node, ...guardOf(flags) };
    const { node: begun } = await this.ask(flags, 'node.drain', input);
    const node = flags.wait ? await this.#untilEmpty(flags, begun) : begun;
    await this.print({ ...nodeReport([node]), kind: 'Node', data: node });
  }

  /** @throws {CachectlError} `ERR_CACHECTL_FAILED` where nothing moves any more, with shards left */
  async #untilEmpty(flags: Readonly<Record<string, unknown>>, begun: NodeView): Promise<NodeView> {
    const all = shardsOn(begun);
    let node = begun;
    let looksInVain = 0;
    const words = () => `${all - shardsOn(node)} of ${all} shards have left ${begun.name}`;
    return withProgress(words, async () => {
      while (shardsOn(node) > 0) {
        await pause(LOOK_MS);
        const before = shardsOn(node);
        ({ node } = await this.ask(flags, 'node.show', { node: begun.id }));
        const { moves } = await this.ask(flags, 'move.list', {});
        const isMoving = shardsOn(node) !== before || moves.some(({ from }) => from === node.id);
        looksInVain = isMoving ? 0 : looksInVain + 1;
        if (looksInVain > LOOKS_IN_VAIN_MAX) throw stuck(node);
      }
      return node;
    });
  }
}

function shardsOn({ primaries, replicas, learners }: NodeView): number {
  return primaries + replicas + learners;
}

function stuck(node: NodeView): CachectlError {
  const words = `${shardsOn(node)} shards of ${node.name} have no other node to go to`;
  const hint = `Start another node, in a zone of its own; or take it back: cachectl node undrain ${node.name}`;
  return new CachectlError('ERR_CACHECTL_FAILED', words, { hint });
}
