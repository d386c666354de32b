import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'src/**/*.test.ts',
      'scripts/**/*.test.ts',
      'bench/**/*.test.ts',
      'test/**/*.test.ts',
    ],
    // Some properties compute for seconds; a machine that does other work as well takes many times that.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
