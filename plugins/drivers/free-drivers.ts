import type { Queryable } from '#plugin-api';
import { createCellIndex, createCellMemory, type CellIndex } from './cells.ts';
import type { Settings } from './settings.ts';
import { listFreeDrivers, type FreeDriver } from './store/candidates.ts';

/** As many rows as stay well below what one query and one frame may carry. */
const pageSize = 5000;

export interface FreeDrivers {
  /** A picture of the free drivers that is younger than DRIVERS_INDEX_MS. */
  recent(db: Queryable): Promise<Picture>;
  /** One that was begun after this moment of `now`. */
  since(db: Queryable, moment: number): Promise<Picture>;
}

export interface Picture {
  readonly begunMs: number;
  readonly index: CellIndex<FreeDriver>;
}

export interface FreeDriversOptions {
  readonly settings: Pick<Settings, 'positionAgeMaxSeconds' | 'parcelVolumeL' | 'indexMs'>;
  /** A clock that never goes back, in milliseconds. */
  readonly now: () => number;
}

/**
 * The free drivers in cells, loaded in one query and used for a moment by all who look for one. It may be wrong by that
 * moment: whoever is chosen from it is locked and looked at again, and nobody is said to be missing before one was loaded
 * anew. It is loaded through the transaction that asks: one that waited for another connection could wait for itself.
 */
export function createFreeDrivers({ settings, now }: FreeDriversOptions): FreeDrivers {
  const memory = createCellMemory();
  let newest: Picture | undefined;
  let loading: { readonly begunMs: number; readonly done: Promise<Picture> } | undefined;

  async function load(db: Queryable, begunMs: number): Promise<Picture> {
    const drivers: FreeDriver[] = [];
    for (let after: string | undefined = ''; after !== undefined;) {
      const page: readonly FreeDriver[] = await listFreeDrivers(db, { ...settings, after, limit: pageSize });
      drivers.push(...page);
      after = page.length === pageSize ? page.at(-1)?.driverId : undefined;
    }
    memory.keepOnly(new Set(drivers.map(({ driverId }) => driverId)));
    const picture = { begunMs, index: createCellIndex(drivers, memory) };
    if (newest === undefined || newest.begunMs < begunMs) newest = picture;
    return picture;
  }

  function begin(db: Queryable): Promise<Picture> {
    const begunMs = now();
    const mine = { begunMs, done: load(db, begunMs) };
    loading = mine;
    const end = (): void => {
      if (loading === mine) loading = undefined;
    };
    mine.done.then(end, end);
    return mine.done;
  }

  async function since(db: Queryable, moment: number): Promise<Picture> {
    if (newest !== undefined && newest.begunMs >= moment) return newest;
    if (loading === undefined || loading.begunMs < moment) return begin(db);
    // Another transaction loads it; when that one fails, this need not.
    return loading.done.catch(() => begin(db));
  }

  return { since, recent: (db) => since(db, now() - settings.indexMs) };
}
