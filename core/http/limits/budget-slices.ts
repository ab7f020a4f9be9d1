import { LRUCache } from 'lru-cache';
import { AppError } from '#core/errors/app-error.ts';
import type { Logger } from '#core/telemetry/logger.ts';
import type { Counter } from '#core/telemetry/metrics.ts';
import type { BudgetName } from './budget-name.ts';
import type { BudgetStore } from './budget-store.ts';

export interface BudgetSlicesOptions {
  readonly store: Pick<BudgetStore, 'take' | 'giveBack'>;
  readonly perDay: Readonly<Record<BudgetName, number>>;
  readonly sliceMax: number;
  /** Partners' slices remembered; the one not used for longest is given back first. */
  readonly slicesMax: number;
  /** By what came of asking for a slice. */
  readonly leases: Counter;
  readonly logger: Logger;
  readonly now: () => number;
}

/** A node's slice of one partner's budget of a day. */
interface Slice {
  readonly partnerId: string;
  readonly budget: BudgetName;
  readonly day: string;
  left: number;
  /** Until then the database is not asked again: there was nothing left. */
  emptyUntilMs: number;
  asking: Promise<void> | undefined;
}

/** As long until a budget that ops have raised counts. */
const emptyForMs = 2000;

export const dayOf = (nowMs: number): string => new Date(nowMs).toISOString().slice(0, 10);

/**
 * A node takes a slice of the day's budget with one statement and uses it up by itself, so a request costs a subtraction.
 * Slices shrink as the budget ends: no node sits on what another could use. A node that is killed takes its rest with it.
 * While the database is away nothing is counted: what needs it fails by itself, and the rest is harmless.
 */
export class BudgetSlices {
  readonly #options: BudgetSlicesOptions;
  readonly #slices: LRUCache<string, Slice>;

  constructor(options: BudgetSlicesOptions) {
    this.#options = options;
    this.#slices = new LRUCache({
      max: options.slicesMax,
      dispose: (slice, _key, reason) => {
        if (reason === 'evict') void this.#handBack(slice);
      },
    });
  }

  /** False when the budget is spent; a promise only when the database must be asked. */
  take(partnerId: string, budget: BudgetName): boolean | Promise<boolean> {
    const slice = this.#sliceOf(partnerId, budget);
    if (slice.left === 0) return this.#takeLater(slice);
    slice.left -= 1;
    return true;
  }

  giveBack(partnerId: string, budget: BudgetName): void {
    this.#sliceOf(partnerId, budget).left += 1;
  }

  left(partnerId: string, budget: BudgetName): number {
    return this.#sliceOf(partnerId, budget).left;
  }

  /** Gives back what was taken and not used. */
  async stop(): Promise<void> {
    await Promise.all([...this.#slices.values()].map((slice) => this.#handBack(slice)));
  }

  #sliceOf(partnerId: string, budget: BudgetName): Slice {
    const key = `${budget} ${partnerId}`;
    const known = this.#slices.get(key);
    const day = dayOf(this.#options.now());
    if (known?.day === day) return known;
    const slice = { partnerId, budget, day, left: 0, emptyUntilMs: 0, asking: undefined };
    this.#slices.set(key, slice);
    return slice;
  }

  async #takeLater(slice: Slice): Promise<boolean> {
    // Others that wait for the same slice may have used it up.
    while (slice.left === 0) {
      if (slice.emptyUntilMs > this.#options.now()) return false;
      slice.asking ??= this.#ask(slice).finally(() => (slice.asking = undefined));
      await slice.asking;
    }
    slice.left -= 1;
    return true;
  }

  async #ask(slice: Slice): Promise<void> {
    const { store, perDay, sliceMax, leases, logger, now } = this.#options;
    const { partnerId, budget, day } = slice;
    try {
      const granted = await store.take({ partnerId, budget, day, slice: sliceMax, perDay: perDay[budget] });
      slice.left += granted;
      if (granted === 0) slice.emptyUntilMs = now() + emptyForMs;
      leases.inc({ outcome: granted === 0 ? 'spent' : 'granted' });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      leases.inc({ outcome: 'failed' });
      logger.warn({ err: error, budget }, 'Cannot take a slice of a budget: requests are not counted meanwhile');
      slice.left += 1;
    }
  }

  async #handBack(slice: Slice): Promise<void> {
    const { partnerId, budget, day, left: amount } = slice;
    if (amount === 0) return;
    slice.left = 0;
    try {
      await this.#options.store.giveBack({ partnerId, budget, day, amount });
    } catch (error) {
      this.#options.logger.warn({ err: error, budget, amount }, 'Cannot give back the rest of a budget');
    }
  }
}
