import { BaseCommand, outputFlags } from '../frame/base-command.ts';

export default class SimList extends BaseCommand {
  static override summary = 'List the worlds that can be simulated, and what each must hold to.';
  static override examples = [
    '<%= config.bin %> sim list',
    '<%= config.bin %> sim list -o wide',
    '<%= config.bin %> sim list --json',
  ];
  static override flags = outputFlags;

  async run(): Promise<void> {
    await this.parse(SimList);
    const { KERNEL_ORACLES, WORLDS } = await import('../../sim/index.ts');
    const data = WORLDS.map(({ name, summary, oracles, points }) => ({
      name,
      summary,
      oracles: [...oracles, ...KERNEL_ORACLES],
      points,
    }));
    await this.print({
      kind: 'WorldList',
      data,
      view: {
        columns: [
          { title: 'world' },
          { title: 'oracles', align: 'right' },
          { title: 'points', align: 'right' },
          { title: 'what is simulated' },
          { title: 'oracles by name', wide: true },
        ],
        rows: data.map(({ name, summary, oracles, points }) => [
          name,
          oracles.length,
          points.length,
          summary,
          oracles.map((oracle) => oracle.name).join(', '),
        ]),
      },
      names: data.map(({ name }) => name),
    });
  }
}
