import type { PluginContext } from '#plugin-api';
import { createBoundedMap } from './bounded-map.ts';
import { before } from './deadline.ts';
import { rejected, type Fix, type Rejection } from './fix.ts';
import { listSuspendedDevices } from './store/drivers.ts';

/** Who may send: asked of the drivers' plugin by its view, remembered for a moment. */
export interface DriverDirectory {
  /** Why each fix may not be taken; undefined where it may, also when the drivers cannot be asked. */
  check(fixes: readonly Fix[], nowMs: number): Promise<readonly (Rejection | undefined)[]>;
}

export interface DriverDirectoryOptions {
  readonly cacheMs: number;
  readonly driversMax: number;
}

interface Entry {
  /** Null: there is no such driver. */
  readonly suspended: ReadonlySet<string> | null;
  readonly expiresAtMs: number;
}

/** A driver who has just been registered must not wait for long. */
const unknownCacheMs = 1000;
/** After a failure nobody is asked for so long: each batch would pay for the attempt. */
const pauseMs = 5000;
/** Longest wait for an answer. Fixes are worth more than the check. */
const askTimeoutMs = 2000;

export function createDriverDirectory(
  ctx: Pick<PluginContext, 'db' | 'log' | 'metrics'>,
  { cacheMs, driversMax }: DriverDirectoryOptions,
): DriverDirectory {
  const entries = createBoundedMap<Entry>(driversMax);
  let pausedUntilMs = 0;

  async function ask(driverIds: readonly string[], nowMs: number): Promise<ReadonlyMap<string, Entry>> {
    const found = await before(listSuspendedDevices(ctx.db, driverIds), askTimeoutMs, 'the drivers have not answered');
    const answers = driverIds.map((driverId): [string, Entry] => {
      const suspended = found.get(driverId) ?? null;
      const lifeMs = suspended === null ? Math.min(cacheMs, unknownCacheMs) : cacheMs;
      return [driverId, { suspended, expiresAtMs: nowMs + lifeMs }];
    });
    for (const [driverId, entry] of answers) entries.set(driverId, entry);
    return new Map(answers);
  }

  return {
    async check(fixes, nowMs) {
      const driverIds = [...new Set(fixes.map(({ driverId }) => driverId))];
      const known = new Map<string, Entry>();
      for (const driverId of driverIds) {
        const entry = entries.get(driverId);
        if (entry !== undefined && entry.expiresAtMs > nowMs) known.set(driverId, entry);
      }
      const missing = driverIds.filter((driverId) => !known.has(driverId));
      if (missing.length > 0 && nowMs >= pausedUntilMs) {
        try {
          for (const [driverId, entry] of await ask(missing, nowMs)) known.set(driverId, entry);
        } catch (error) {
          pausedUntilMs = nowMs + pauseMs;
          ctx.log.warn('drivers cannot be asked: fixes are taken unchecked', { reason: String(error) });
        }
      }
      const results = fixes.map((fix) => judge(fix, known.get(fix.driverId)));
      const unchecked = fixes.filter(({ driverId }) => !known.has(driverId)).length;
      if (unchecked > 0) ctx.metrics.increment('returnit_tracking_unchecked_total', {}, unchecked);
      return results;
    },
  };
}

function judge({ device }: Fix, entry: Entry | undefined): Rejection | undefined {
  if (entry === undefined) return undefined;
  if (entry.suspended === null) return rejected('unknown_driver', 'no driver of this id is registered');
  if (entry.suspended.has(device)) return rejected('suspended_device', "the device's credentials are revoked");
  return undefined;
}
