/** Shows that something is under way, where it takes longer than a second and somebody watches. */
import { styleText } from 'node:util';
import { timers } from '../../runtime/node/clock.ts';

const PATIENCE_MS = 1000;
const FRAME_MS = 100;
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/** @param words asked anew for each frame, so that they may count */
export async function withProgress<T>(
  words: string | (() => string),
  work: () => Promise<T>,
): Promise<T> {
  const { stderr } = process;
  if (!stderr.isTTY || process.env['CI'] !== undefined) return work();
  let frame = 0;
  let isShown = false;
  const show = () => {
    isShown = true;
    const mark = styleText('cyan', FRAMES[frame++ % FRAMES.length], { stream: stderr });
    stderr.write(`\r\u001B[K${mark} ${typeof words === 'string' ? words : words()}`);
  };
  let next = timers.after(PATIENCE_MS, animate);
  function animate(): void {
    show();
    next = timers.after(FRAME_MS, animate);
  }
  try {
    return await work();
  } finally {
    next.cancel();
    if (isShown) stderr.write('\r\u001B[K');
  }
}
