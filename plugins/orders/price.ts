import { Type, type Static } from 'typebox';
import { distanceM, type Place } from './distance.ts';
import { closed, instant } from './text-schemas.ts';

const amountMinor = Type.Integer({ minimum: 0, maximum: 10_000_000 });
const currency = Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217' });
const orNull = <T extends ReturnType<typeof Type.Integer>>(schema: T) => Type.Union([schema, Type.Null()]);

export const Price = Type.Object({ amountMinor: Type.Integer({ minimum: 0 }), currency }, closed);
export type Price = Static<typeof Price>;

const DistanceBand = Type.Object(
  { upToM: orNull(Type.Integer({ minimum: 1, maximum: 50_000_000 })), amountMinor },
  closed,
);
const WindowBand = Type.Object(
  { upToMinutes: orNull(Type.Integer({ minimum: 1, maximum: 100_000 })), amountMinor },
  closed,
);

const listFields = {
  currency,
  baseMinor: amountMinor,
  furtherParcelMinor: amountMinor,
  distanceBands: Type.Array(DistanceBand, {
    minItems: 1,
    maxItems: 50,
    description: 'By the great circle from pickup to destination; growing, the last one without an end',
    examples: [
      [
        { upToM: 5000, amountMinor: 0 },
        { upToM: null, amountMinor: 400 },
      ],
    ],
  }),
  windowBands: Type.Array(WindowBand, {
    minItems: 1,
    maxItems: 50,
    description: 'By the length of the pickup window; growing, the last one without an end',
    examples: [
      [
        { upToMinutes: 60, amountMinor: 300 },
        { upToMinutes: null, amountMinor: 0 },
      ],
    ],
  }),
};

export const NewPriceList = Type.Object(
  { ...listFields, validFrom: Type.Optional({ ...instant, description: 'Now unless given; never in the past' }) },
  closed,
);
export type NewPriceList = Static<typeof NewPriceList>;

export const PriceList = Type.Object(
  {
    ...listFields,
    version: Type.Integer({ minimum: 1 }),
    validFrom: instant,
    createdBy: Type.String(),
    createdAt: instant,
  },
  closed,
);
export type PriceList = Static<typeof PriceList>;

export const QuotedPrice = Type.Object(
  {
    amountMinor: Type.Integer({ minimum: 0 }),
    currency,
    parts: Type.Object(
      { baseMinor: amountMinor, distanceMinor: amountMinor, parcelsMinor: Type.Integer(), windowMinor: amountMinor },
      closed,
    ),
    distanceM: Type.Integer({ minimum: 0 }),
    priceVersion: Type.Integer({ minimum: 1 }),
  },
  closed,
);
export type QuotedPrice = Static<typeof QuotedPrice>;

/** All of an order that its price depends on. */
export interface Priced {
  readonly pickup: Place;
  readonly destination: Place;
  readonly pickupWindow: { readonly start: string; readonly end: string };
  readonly parcelCount: number;
}

/** A base fee, the band of the way, each further parcel, and what a short window costs. */
export function priceOf(order: Priced, list: PriceList): QuotedPrice {
  const { pickup, destination, pickupWindow, parcelCount } = order;
  const metres = Math.round(distanceM(pickup, destination));
  const minutes = (Date.parse(pickupWindow.end) - Date.parse(pickupWindow.start)) / 60_000;
  const parts = {
    baseMinor: list.baseMinor,
    distanceMinor: bandOf(metres, list.distanceBands, ({ upToM }) => upToM),
    parcelsMinor: list.furtherParcelMinor * (parcelCount - 1),
    windowMinor: bandOf(minutes, list.windowBands, ({ upToMinutes }) => upToMinutes),
  };
  const sum = parts.baseMinor + parts.distanceMinor + parts.parcelsMinor + parts.windowMinor;
  return { amountMinor: sum, currency: list.currency, parts, distanceM: metres, priceVersion: list.version };
}

interface Band {
  readonly amountMinor: number;
}

function bandOf<B extends Band>(value: number, bands: readonly B[], end: (band: B) => number | null): number {
  const band = bands.find((candidate) => value <= (end(candidate) ?? Number.POSITIVE_INFINITY));
  if (band === undefined) throw new RangeError(`Cannot price ${value}: the last band must have no end`);
  return band.amountMinor;
}

/** What the schema cannot say of a price list; undefined when it can be used. */
export function checkPriceList(list: NewPriceList, nowMs: number): string | undefined {
  const distances = list.distanceBands.map(({ upToM }) => upToM);
  const windows = list.windowBands.map(({ upToMinutes }) => upToMinutes);
  if (!isGrowing(distances)) return "'distanceBands' must grow in 'upToM', and the last one alone must have null";
  if (!isGrowing(windows)) return "'windowBands' must grow in 'upToMinutes', and the last one alone must have null";
  if (list.validFrom !== undefined && !(Date.parse(list.validFrom) >= nowMs)) {
    return "'validFrom' must not lie in the past: leave it out for now";
  }
  return undefined;
}

function isGrowing(ends: readonly (number | null)[]): boolean {
  return ends.every((end, index) => {
    const next = ends[index + 1];
    return next === undefined ? end === null : end !== null && (next === null || next > end);
  });
}
