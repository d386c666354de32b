/** How far moves are, all together: for whoever waits for them. Pure. */
import { isMoveOver } from '../../cluster/move.ts';
import type { MoveView } from '../../meta/admin/index.ts';
import { roughSize, roughTime } from './admin-views.ts';

export type ShownMove = Pick<MoveView, 'id' | 'phase' | 'copiedBytes' | 'totalBytes'>;

const BAR_CELLS = 20;
const LOOK_MS_MIN = 30;
const LOOK_MS_MAX = 250;

export class MoveProgress {
  readonly #beganAtMs: number;
  /** By move: the most that was ever said. What is copied may not be said any more. */
  readonly #totals = new Map<number, number>();
  #copiedBytes = 0;
  #over = 0;
  #count = 0;
  #nowMs: number;

  constructor(nowMs: number) {
    this.#beganAtMs = nowMs;
    this.#nowMs = nowMs;
  }

  saw(moves: readonly ShownMove[], nowMs: number): void {
    this.#nowMs = nowMs;
    this.#count = moves.length;
    this.#over = moves.filter(isMoveOver).length;
    this.#copiedBytes = 0;
    for (const move of moves) {
      const total = Math.max(move.totalBytes, this.#totals.get(move.id) ?? 0);
      this.#totals.set(move.id, total);
      const isCopied = move.phase !== 'pending' && move.phase !== 'copying';
      this.#copiedBytes += isCopied ? total : Math.min(total, move.copiedBytes);
    }
  }

  get totalBytes(): number {
    return [...this.#totals.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** At the pace so far; undefined where that cannot be told. */
  get etaMs(): number | undefined {
    const left = this.totalBytes - this.#copiedBytes;
    if (this.#copiedBytes === 0 || left <= 0) return undefined;
    return ((this.#nowMs - this.#beganAtMs) * left) / this.#copiedBytes;
  }

  /** After how long to look again: the sooner, the nearer the end. */
  get lookAgainMs(): number {
    if (this.#copiedBytes > 0 && this.#copiedBytes >= this.totalBytes) return LOOK_MS_MIN;
    return Math.min(LOOK_MS_MAX, Math.max(LOOK_MS_MIN, (this.etaMs ?? Infinity) / 2));
  }

  get words(): string {
    const over = `${this.#over} of ${this.#count} moves are over`;
    const total = this.totalBytes;
    if (total === 0) return over;
    const share = this.#copiedBytes / total;
    const cells = Math.floor(share * BAR_CELLS);
    const bar = '█'.repeat(cells) + '░'.repeat(BAR_CELLS - cells);
    const sizes = `${roughSize(this.#copiedBytes)} of ${roughSize(total)}`;
    const eta = this.etaMs === undefined ? '' : `, ${roughTime(this.etaMs)} to go`;
    return `${bar} ${Math.floor(share * 100)}% ${sizes}${eta}, ${over}`;
  }
}
