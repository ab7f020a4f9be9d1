/** Thresholds that are times, and which of them are shortened with the windows. A test fails if one is in neither list. */
import { thresholds, type Threshold } from '#core/config/thresholds.ts';

type Name = keyof typeof thresholds;

/**
 * How long something has lasted, or how far is looked ahead: with shorter windows as much less of it is as bad. By the alert
 * that has it.
 */
export const scaledThresholds: Readonly<Record<string, Name>> = {
  JobQueueStalled: 'jobAge',
  OutboxStalled: 'outboxAge',
  HeapLeakSuspected: 'heapFull',
  StorageFilling: 'diskFull',
  StorageFullSoon: 'diskFullCritical',
};

/** Left as they are, and why. */
export const unscaledThresholds: Readonly<Partial<Record<Name, string>>> = {
  slowRequestMs: 'how long one request takes does not depend on how long is looked at',
  eventLoopDelay: 'how late one timer is',
  queryMean: 'how long one statement takes',
  queryTail: 'how long one statement takes',
  poolWait: 'how long one statement waits',
  eventLag: 'how late one event is; the histogram has no finer bounds there',
  acknowledgement: 'how long one message takes',
  ingestLag: 'how old one fix is',
  clockSkew: 'no alert: what `doctor` says',
  ingestSilence: 'a range, and shortened as such',
  ordersSilence: 'a range, and shortened as such',
};

export const agesOf: Readonly<Record<string, readonly number[]>> = Object.fromEntries(
  Object.entries(scaledThresholds).map(([alert, name]) => [alert, [thresholds[name].value]]),
);

export const timeThresholds = (Object.entries(thresholds) as [Name, Threshold][])
  .filter(([, { unit }]) => unit === 's' || unit === 'ms')
  .map(([name]) => name);
