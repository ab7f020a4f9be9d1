import { Type, type Static } from 'typebox';
import type { DriverLoad, Size } from './ranking.ts';

const kinds = ['bicycle', 'cargo_bike', 'car', 'van'] as const;
export type VehicleKind = (typeof kinds)[number];
export const Vehicle = Type.Enum([...kinds]);

export const Capacity = Type.Object(
  {
    parcels: Type.Integer({ minimum: 1, maximum: 10_000 }),
    volumeL: Type.Integer({ minimum: 1, maximum: 100_000, description: 'Litres' }),
  },
  { additionalProperties: false },
);
export type Capacity = Static<typeof Capacity>;

/** What a vehicle of each kind holds, and how fast it is in a city, where nobody says otherwise. */
const usual: Readonly<Record<VehicleKind, { readonly capacity: Size; readonly speedMps: number }>> = {
  bicycle: { capacity: { parcels: 6, volumeL: 120 }, speedMps: 4 },
  cargo_bike: { capacity: { parcels: 20, volumeL: 400 }, speedMps: 4 },
  car: { capacity: { parcels: 30, volumeL: 800 }, speedMps: 7 },
  van: { capacity: { parcels: 150, volumeL: 6000 }, speedMps: 7 },
};

export function usualSpeedMps(vehicle: VehicleKind): number {
  return usual[vehicle].speedMps;
}

/** A vehicle as it is stored: what was not said of it is null. */
export interface StoredVehicle {
  readonly vehicle: string;
  readonly capacityParcels: number | null;
  readonly capacityVolumeL: number | null;
}

export function capacityOf({ vehicle, capacityParcels, capacityVolumeL }: StoredVehicle): Size {
  const { capacity } = usual[vehicle as VehicleKind];
  return { parcels: capacityParcels ?? capacity.parcels, volumeL: capacityVolumeL ?? capacity.volumeL };
}

/** What an order takes; of one whose volume nobody told, that of its parcels. */
export function sizeOf(
  { parcels, volumeL }: { readonly parcels: number; readonly volumeL: number | null },
  { parcelVolumeL }: { readonly parcelVolumeL: number },
): Size {
  return { parcels, volumeL: volumeL ?? parcels * parcelVolumeL };
}

export function toLoad(driver: StoredVehicle & Omit<DriverLoad, 'capacity'>): DriverLoad {
  const { orders, parcels, volumeL, openOffers } = driver;
  return { orders, parcels, volumeL, openOffers, capacity: capacityOf(driver) };
}
