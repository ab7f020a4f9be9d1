import { getHexagonEdgeLengthAvg, gridRing, latLngToCell } from 'h3-js';
import { distanceM, type Place } from './distance.ts';

/** Cells of 5.2 km² on average, centres 2.4 km apart: some drivers in each where there are many, few empty ones elsewhere. */
const resolution = 7;
const edgeM = getHexagonEdgeLengthAvg(resolution, 'm');
/**
 * Who is n rings away is at least so far from who is in the middle: rings lie 1.5 edges apart at their narrowest, and both may
 * be at the rim of their cells. Cells are up to 30 % smaller than the average, and larger.
 */
const atLeastM = (ring: number): number => Math.max(0, 1.5 * ring * edgeM * 0.7 - 2 * edgeM * 1.3);

/** Cells that are looked into however few drivers there are. */
const cellsMin = 100;

export interface Found<D> {
  readonly driver: D;
  readonly distanceM: number;
}

export interface NearestSearch<D> {
  readonly count: number;
  readonly distanceMaxM: number;
  readonly isWanted: (driver: D) => boolean;
}

export interface CellIndex<D> {
  readonly size: number;
  /** The nearest that are wanted, nearest first. */
  nearest(place: Place, search: NearestSearch<D>): readonly Found<D>[];
}

/** The cell of a place. Of a driver that has not moved it is remembered: computing it is the dearest part of an index. */
export interface CellMemory {
  cellOf(driverId: string, place: Place): string;
  /** Forgets drivers that are not among these. */
  keepOnly(driverIds: ReadonlySet<string>): void;
}

export function createCellMemory(): CellMemory {
  const known = new Map<string, { readonly place: Place; readonly cell: string }>();
  return {
    cellOf(driverId, { lat, lon }) {
      const found = known.get(driverId);
      if (found?.place.lat === lat && found.place.lon === lon) return found.cell;
      const cell = latLngToCell(lat, lon, resolution);
      known.set(driverId, { place: { lat, lon }, cell });
      return cell;
    },
    keepOnly(driverIds) {
      for (const driverId of known.keys()) if (!driverIds.has(driverId)) known.delete(driverId);
    },
  };
}

/** Drivers by the H3 cell that they are in. */
export function createCellIndex<D extends Place & { readonly driverId: string }>(
  drivers: readonly D[],
  memory: CellMemory = createCellMemory(),
): CellIndex<D> {
  const byCell = Map.groupBy(drivers, (driver) => memory.cellOf(driver.driverId, driver));

  /** Ring by ring around the place, until nobody further out can be among the nearest. */
  function nearest(place: Place, { count, distanceMaxM, isWanted }: NearestSearch<D>): readonly Found<D>[] {
    const found: Found<D>[] = [];
    const look = (driver: D): void => {
      const far = distanceM(place, driver);
      if (far <= distanceMaxM && isWanted(driver)) found.push({ driver, distanceM: far });
    };
    const centre = latLngToCell(place.lat, place.lon, resolution);
    let cells = 0;
    for (let ring = 0; atLeastM(ring) <= distanceMaxM; ring += 1) {
      const kth = found.length < count ? undefined : found[count - 1]?.distanceM;
      if (kth !== undefined && atLeastM(ring) > kth) break;
      cells += ring === 0 ? 1 : 6 * ring;
      if (cells > Math.max(cellsMin, drivers.length)) {
        // A cell costs about as much as a driver: from here on it is cheaper to look at everybody.
        found.length = 0;
        for (const driver of drivers) look(driver);
        break;
      }
      for (const cell of gridRing(centre, ring)) byCell.get(cell)?.forEach(look);
      found.sort(byDistance);
    }
    return found.toSorted(byDistance).slice(0, count);
  }

  return { size: drivers.length, nearest };
}

function byDistance<D extends { readonly driverId: string }>(left: Found<D>, right: Found<D>): number {
  return left.distanceM - right.distanceM || (left.driver.driverId < right.driver.driverId ? -1 : 1);
}
