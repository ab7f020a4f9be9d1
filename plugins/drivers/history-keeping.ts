import type { PluginContext } from '#plugin-api';
import type { Settings } from './settings.ts';
import { forgetHistories, forgetShifts } from './store/history.ts';

const dayMs = 86_400_000;
/** Orders of one statement: the job never holds many rows at once. */
const batchMax = 1000;

export interface HistoryKeepingOptions {
  readonly settings: Pick<Settings, 'historyDays'>;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/** Removes what is kept of orders and shifts that have been over for long. */
export async function keepHistory(
  { db }: Pick<PluginContext, 'db'>,
  { settings, nowMs, signal }: HistoryKeepingOptions,
): Promise<void> {
  const before = new Date(nowMs - settings.historyDays * dayMs);
  for (const forget of [forgetHistories, forgetShifts]) {
    for (let count = batchMax; count === batchMax && !signal.aborted;) count = await forget(db, before, batchMax);
  }
}
