/**
 * `npm test`: the static checks, then every test. `npm test -- PART…` runs only the test files
 * whose path has one of the parts in it. The last line says how much passed and failed.
 */
import { relative } from 'node:path';
import { startVitest, type TestModule } from 'vitest/node';
import { runChecks } from './checks.ts';

/** A test that loops for ever cannot be stopped from within; the run as a whole can. */
const TESTS_MS_MAX = 18 * 60_000;

const parts = process.argv.slice(2);
const total = { skipped: 0, ...(parts.length === 0 ? runChecks() : { passed: 0, failed: 0 }) };

function finish(): never {
  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
  console.log(`\n${total.passed} passed, ${total.failed} failed${skipped}`);
  process.exit(total.failed === 0 ? 0 : 1);
}

/** What has ended, however it ended, counts once. */
function count(testModule: TestModule): void {
  if (testModule.errors().length > 0) total.failed += 1;
  for (const suite of testModule.children.allSuites()) {
    if (suite.errors().length > 0) total.failed += 1;
  }
  for (const test of testModule.children.allTests()) {
    const { state } = test.result();
    if (state === 'passed') total.passed += 1;
    else if (state === 'skipped') total.skipped += 1;
    else total.failed += 1;
  }
}

const running = new Set<string>();
setTimeout(() => {
  console.log(`\nStill running after ${TESTS_MS_MAX / 60_000} minutes, given up:`);
  for (const path of running) console.log(`  ${relative(process.cwd(), path)}`);
  total.failed += Math.max(1, running.size);
  finish();
}, TESTS_MS_MAX).unref();

const vitest = await startVitest(parts, {
  watch: false,
  reporters: [
    'default',
    {
      onTestModuleStart: ({ moduleId }) => void running.add(moduleId),
      onTestModuleEnd: (testModule) => {
        running.delete(testModule.moduleId);
        count(testModule);
      },
    },
  ],
});
total.failed += vitest.state.getUnhandledErrors().length;
// Nothing run is no success: a mistyped part, or a pattern that matches no file.
if (total.passed + total.failed === 0) total.failed = 1;
await vitest.close();
finish();
