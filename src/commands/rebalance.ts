import { Flags } from '@oclif/core';
import { EXIT } from '../cluster/errors.ts';
import { asEpoch } from '../cluster/ids.ts';
import { AdminCommand, adminFlags } from './frame/admin-command.ts';
import { moveReport, planReport } from './frame/admin-views.ts';
import { confirmOrRefuse, yesFlag } from './frame/confirm.ts';
import { countFlag, sizeFlag } from './frame/flags.ts';
import { render } from './frame/output.ts';
import { failWhereAborted, untilOver, waitFlag } from './frame/wait-for-moves.ts';

export default class Rebalance extends AdminCommand {
  static override summary = 'Spread the shards evenly over the nodes.';
  static override description =
    'Shows the plan, and asks. A plan has the epoch it was made at as its id; applying one whose ' +
    'epoch has passed is refused with exit code 6.';
  static override examples = [
    '<%= config.bin %> rebalance --dry-run',
    '<%= config.bin %> rebalance --plan 12 --throttle 50mb --wait',
    '<%= config.bin %> rebalance --dry-run --exit-code',
  ];
  static override flags = {
    'dry-run': Flags.boolean({ summary: 'Show the plan only.' }),
    'exit-code': Flags.boolean({
      summary: 'Exit with 10 where there is something to move.',
      dependsOn: ['dry-run'],
    }),
    plan: countFlag({ min: 0 })({
      summary: 'The plan that was shown; it is not asked about again.',
      exclusive: ['dry-run'],
    }),
    throttle: sizeFlag({ min: 1024 })({ summary: 'Bytes a second that each move may copy.' }),
    wait: waitFlag,
    yes: yesFlag,
    ...adminFlags,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Rebalance);
    if (flags['dry-run']) {
      const plan = await this.ask(flags, 'rebalance.plan', {});
      await this.print(planReport(plan));
      if (flags['exit-code'] && plan.moves.length > 0) this.exit(EXIT.changesPending);
      return;
    }
    const plan = flags.plan === undefined ? await this.#planAndAsk(flags) : asEpoch(flags.plan);
    if (plan === undefined) return;
    const throttle = flags.throttle === undefined ? {} : { throttleBytes: flags.throttle };
    const { moves } = await this.ask(flags, 'rebalance.apply', { plan, ...throttle });
    const ended = flags.wait
      ? await untilOver(
          moves,
          async () => (await this.ask(flags, 'move.list', { all: true })).moves,
        )
      : moves;
    await this.print(moveReport(ended));
    failWhereAborted(ended);
  }

  /** @returns the plan's id; undefined where nothing is to be moved, which is then said */
  async #planAndAsk(flags: Readonly<Record<string, unknown>> & { yes: boolean }) {
    const plan = await this.ask(flags, 'rebalance.plan', {});
    const report = planReport(plan);
    if (plan.moves.length === 0) {
      await this.print(report);
      return undefined;
    }
    this.say((await render(report, 'table', [])).trimEnd());
    await confirmOrRefuse(`Begin these ${plan.moves.length} moves?`, flags);
    return plan.plan;
  }
}
