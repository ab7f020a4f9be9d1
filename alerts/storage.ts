import { thresholds as t } from '#core/config/thresholds.ts';
import type { Alert, AlertCases, Samples } from './alert.ts';

const giga = 1_000_000_000;
const labels = { job: 'returnit', instance: 'a' };

const step = 5;
const perHour = 60 / step;

/** A volume of 100 GB of which as many are free, every five minutes. */
const volume = (free: readonly number[]): Samples => ({
  'returnit_storage_free_bytes{job="returnit",instance="a"}': free.map((gigabytes) => gigabytes * giga).join(' '),
  'returnit_storage_used_bytes{job="returnit",instance="a"}': free
    .map((gigabytes) => (100 - gigabytes) * giga)
    .join(' '),
});

/** Gigabytes that are free at first, and how many fewer each hour, for ten hours. */
interface Falling {
  readonly from: number;
  readonly speed: number;
}

const falling = ({ from, speed }: Falling): readonly number[] =>
  Array.from({ length: 10 * perHour }, (_, index) => Math.max(0, from - (speed * index) / perHour));

interface Filling {
  /** It fires within three hours. */
  readonly fires: Falling;
  /** Full as soon, and there is much. */
  readonly quiet: Falling;
  /** So slowly that after three hours there is as much time as may be. */
  readonly boundary: Falling;
  readonly description: string;
}

const cases = ({ fires, quiet, boundary, description }: Filling): AlertCases => ({
  step: `${step}m`,
  fires: { samples: volume(falling(fires)), at: '3h', alerts: [{ labels, description }] },
  quiet: { samples: volume(falling(quiet)), at: '3h' },
  boundary: { samples: volume(falling(boundary)), at: '3h' },
  // Somebody has made room.
  resolves: {
    samples: volume(falling(fires).map((free, index) => (index < 3.2 * perHour ? free : 80))),
    firesAt: '3h',
    at: '4h',
  },
});

const free = 'returnit_storage_free_bytes / (returnit_storage_free_bytes + returnit_storage_used_bytes)';
const willBeFull = (seconds: number): string => `predict_linear(returnit_storage_free_bytes[6h], ${seconds}) < 0`;
const left = 'of the volume of {{ $labels.instance }} {{ $value | humanizePercentage }} is free';

/** The volume of the data folder. What may be used of it is a budget, and another alert: here writes fail. */
export const storage: readonly Alert[] = [
  {
    name: 'StorageFilling',
    expr: `${free} < ${t.diskFilling.value} and ${willBeFull(t.diskFull.value)}`,
    for: '1h',
    severity: 'warning',
    type: 'cause',
    plugin: 'core',
    summary: `The disk is full within ${t.diskFull.value / 3600} hours, as it has filled lately`,
    description: `Full within ${t.diskFull.value / 3600} hours: ${left}.`,
    cases: cases({
      fires: { from: 36, speed: 2 },
      quiet: { from: 60, speed: 5 },
      boundary: { from: 36, speed: 1.3 },
      description: 'Full within 24 hours: of the volume of a 30% is free.',
    }),
  },
  {
    name: 'StorageFullSoon',
    runbook: 'StorageFilling',
    expr: `${free} < ${t.diskFillingCritical.value} and ${willBeFull(t.diskFullCritical.value)}`,
    for: '30m',
    severity: 'critical',
    type: 'cause',
    plugin: 'core',
    summary: `The disk is full within ${t.diskFullCritical.value / 3600} hours, as it has filled lately`,
    description: `Full within ${t.diskFullCritical.value / 3600} hours: ${left}.`,
    cases: cases({
      fires: { from: 25, speed: 4 },
      quiet: { from: 50, speed: 9 },
      boundary: { from: 25, speed: 3.5 },
      description: 'Full within 4 hours: of the volume of a 13% is free.',
    }),
  },
];
