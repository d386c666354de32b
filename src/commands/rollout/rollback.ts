import { RolloutCommand } from '../frame/rollout-command.ts';

export default class RolloutRollback extends RolloutCommand {
  static override summary = 'Give all nodes the version before again.';
  static override examples = ['<%= config.bin %> rollout rollback limits'];
  protected override readonly operation = 'rollout.rollback';
}
