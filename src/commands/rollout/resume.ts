import { RolloutCommand } from '../frame/rollout-command.ts';

export default class RolloutResume extends RolloutCommand {
  static override summary = 'Go on with the waves of a rollout.';
  static override examples = ['<%= config.bin %> rollout resume limits'];
  protected override readonly operation = 'rollout.resume';
}
