import type { Config } from '#core/config/settings.ts';
import type { Logger } from '#core/telemetry/logger.ts';
import type { Metrics } from '#core/telemetry/metrics.ts';
import { RequestRefusal } from '../request-refusal.ts';
import { budgetNames, type BudgetName } from './budget-name.ts';
import { BudgetSlices, dayOf } from './budget-slices.ts';
import type { BudgetStore, LimitsChange } from './budget-store.ts';

export interface BudgetsOptions {
  readonly store: BudgetStore;
  readonly config: Pick<
    Config,
    'partnerRequestsPerDay' | 'partnerOrdersPerDay' | 'budgetSliceMax' | 'httpRateLimitKeysMax'
  >;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** @default Date.now */
  readonly now?: () => number;
}

/** Budgets of partners for a day (UTC), counted by all nodes together. */
export interface Budgets {
  /**
   * Takes one; a promise only when the node must ask the database for more.
   *
   * @throws {AppError} DAILY_BUDGET_SPENT, also as a rejection
   */
  spend(partnerId: string, budget: BudgetName): undefined | Promise<undefined>;
  /** One that was taken was not used after all. */
  giveBack(partnerId: string, budget: BudgetName): void;
  /** Of today; what this node holds and has not used is not counted, what others hold is. */
  read(partnerId: string): Promise<BudgetStates>;
  /** False when they are of another version than expected. Nodes that hold a slice use it up first. */
  set(change: LimitsChange): Promise<boolean>;
  /** Gives back what this node has taken and not used. */
  stop(): Promise<void>;
}

export interface BudgetStates {
  /** Of the limits. */
  readonly version: number;
  readonly states: readonly BudgetState[];
}

export interface BudgetState {
  readonly budget: BudgetName;
  readonly used: number;
  readonly perDay: number;
  /** Of this partner, and not the setting's. */
  readonly isOwn: boolean;
}

const dayMs = 86_400_000;

export function createBudgets(options: BudgetsOptions): Budgets {
  const { store, config, metrics, logger, now = Date.now } = options;
  const limited = metrics.counter('returnit_http_rate_limited_total');
  const perDay = { requests: config.partnerRequestsPerDay, orders: config.partnerOrdersPerDay };
  const slices = new BudgetSlices({
    store,
    perDay,
    sliceMax: config.budgetSliceMax,
    slicesMax: config.httpRateLimitKeysMax,
    leases: metrics.counter('returnit_http_budget_leases_total'),
    logger,
    now,
  });

  function admit(isLeft: boolean, budget: BudgetName): undefined {
    if (isLeft) return undefined;
    limited.inc({ policy: `${budget}-day` });
    const untilTomorrowSeconds = Math.ceil((dayMs - (now() % dayMs)) / 1000);
    throw new RequestRefusal('DAILY_BUDGET_SPENT', `Cannot go on: this partner's ${budget} of today (UTC) are spent`, {
      headers: { 'retry-after': String(untilTomorrowSeconds) },
    });
  }

  return {
    spend(partnerId, budget) {
      const isLeft = slices.take(partnerId, budget);
      return typeof isLeft === 'boolean' ? admit(isLeft, budget) : isLeft.then((answer) => admit(answer, budget));
    },
    giveBack: (partnerId, budget) => slices.giveBack(partnerId, budget),
    async read(partnerId) {
      const { version, rows } = await store.read(partnerId, dayOf(now()));
      const states = budgetNames.map((budget) => {
        const row = rows.find((each) => each.budget === budget);
        const own = row?.perDay ?? null;
        return {
          budget,
          used: Math.max(0, (row?.used ?? 0) - slices.left(partnerId, budget)),
          perDay: own ?? perDay[budget],
          isOwn: own !== null,
        };
      });
      return { version, states };
    },
    set: (change) => store.setLimits(change),
    stop: () => slices.stop(),
  };
}
