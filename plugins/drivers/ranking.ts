import type { RankingWeights } from './settings.ts';

/** What an order asks of a vehicle. */
export interface Size {
  readonly parcels: number;
  readonly volumeL: number;
}

/** What a driver has taken on, as far as it decides what more it can take. */
export interface DriverLoad extends Size {
  readonly orders: number;
  readonly capacity: Size;
  readonly openOffers: number;
}

export interface RankedDriver extends DriverLoad {
  readonly driverId: string;
  readonly distanceM: number;
  /** Since it was last asked or given something; null: not that anybody knows. */
  readonly idleSeconds: number | null;
}

/** The distance that weighs as much as a full vehicle, or an offer just now, when the weights are the same. */
const referenceM = 5000;

/** Whether the vehicle has room for it, and the driver for one order more. */
export function hasRoom(load: Omit<DriverLoad, 'openOffers'>, size: Size, ordersMax: number): boolean {
  return (
    load.orders < ordersMax &&
    load.parcels + size.parcels <= load.capacity.parcels &&
    load.volumeL + size.volumeL <= load.capacity.volumeL
  );
}

/** The fuller of what parcels and volume say: 0 is empty, 1 full. */
function fullness({ parcels, volumeL, capacity }: DriverLoad): number {
  return Math.min(1, Math.max(parcels / capacity.parcels, volumeL / capacity.volumeL));
}

/** What it costs to ask this driver rather than another: the lower, the sooner it is asked. */
export function costOf(driver: RankedDriver, weights: RankingWeights): number {
  const { fairnessSeconds } = weights;
  const idle = driver.idleSeconds === null ? 1 : Math.min(1, Math.max(0, driver.idleSeconds) / fairnessSeconds);
  return (
    (weights.distance * driver.distanceM) / referenceM + weights.load * fullness(driver) + weights.fairness * (1 - idle)
  );
}

/** The best first. Of equal ones the nearer, then by id: every node ranks alike. */
export function rank<D extends RankedDriver>(drivers: readonly D[], weights: RankingWeights): readonly D[] {
  return drivers
    .map((driver) => ({ driver, cost: costOf(driver, weights) }))
    .toSorted(
      (left, right) =>
        left.cost - right.cost ||
        left.driver.distanceM - right.driver.distanceM ||
        (left.driver.driverId < right.driver.driverId ? -1 : 1),
    )
    .map(({ driver }) => driver);
}
