import { defineConfig } from 'vitest/config';

/** Some tests compute for seconds; a machine that does other work as well takes many times that. */
const patience = { testTimeout: 120_000, hookTimeout: 120_000 };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'parts',
          include: ['src/**/*.test.ts', 'scripts/**/*.test.ts', 'bench/**/*.test.ts'],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          ...patience,
        },
      },
      {
        // Real processes, with leases of a second: one file at a time, when nothing else computes.
        test: {
          name: 'processes',
          include: ['test/**/*.test.ts'],
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
          ...patience,
        },
      },
    ],
  },
});
