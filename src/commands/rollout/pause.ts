import { RolloutCommand } from '../frame/rollout-command.ts';

export default class RolloutPause extends RolloutCommand {
  static override summary = 'Begin no further wave of a rollout.';
  static override examples = ['<%= config.bin %> rollout pause limits'];
  protected override readonly operation = 'rollout.pause';
}
