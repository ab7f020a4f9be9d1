import { Type, type Static } from 'typebox';
import { closed, line } from './text-schemas.ts';

const lengthCm = Type.Integer({ minimum: 1, maximum: 500 });

export const NewParcel = Type.Object(
  {
    description: line(200),
    size: Type.Optional(Type.Object({ lengthCm, widthCm: lengthCm, heightCm: lengthCm }, closed)),
    weightGrams: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
  },
  closed,
);
export type NewParcel = Static<typeof NewParcel>;

/** What older clients send instead of parcels: each piece becomes a parcel. */
export const Item = Type.Object(
  { description: line(200), quantity: Type.Integer({ minimum: 1, maximum: 100 }) },
  closed,
);

const nullable = <T extends ReturnType<typeof Type.Integer>>(schema: T) => Type.Union([schema, Type.Null()]);

export const Parcel = Type.Object(
  {
    code: Type.String({ description: 'What is scanned; as text or as a QR code on the label' }),
    description: line(200),
    lengthCm: nullable(lengthCm),
    widthCm: nullable(lengthCm),
    heightCm: nullable(lengthCm),
    weightGrams: nullable(Type.Integer()),
  },
  closed,
);
export type Parcel = Static<typeof Parcel>;

/** Litres of all parcels together, rounded up; null when the size of one was not told: then nobody knows it. */
export function volumeOf(parcels: readonly Pick<Parcel, 'lengthCm' | 'widthCm' | 'heightCm'>[]): number | null {
  let cubicCm = 0;
  for (const { lengthCm, widthCm, heightCm } of parcels) {
    if (lengthCm === null || widthCm === null || heightCm === null) return null;
    cubicCm += lengthCm * widthCm * heightCm;
  }
  return cubicCm === 0 ? null : Math.ceil(cubicCm / 1000);
}

export const parcelsMax = 50;

/** What a booking says of its parcels. */
export interface ParcelsBooked {
  readonly parcels?: readonly NewParcel[];
  readonly items?: readonly Static<typeof Item>[];
}

export function toNewParcels({ parcels, items = [] }: ParcelsBooked): readonly NewParcel[] {
  return (
    parcels ?? items.flatMap(({ description, quantity }) => Array.from({ length: quantity }, () => ({ description })))
  );
}

/** Crockford's base 32: nothing in it is read as something else. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const codeLength = 12;

/** A code for a label. @param bytes 12 random ones: of 60 bits nobody guesses another's, and none comes twice */
export function toParcelCode(bytes: Uint8Array): string {
  if (bytes.length !== codeLength) throw new RangeError(`A code needs ${codeLength} bytes: there are ${bytes.length}`);
  return `RP${[...bytes].map((byte) => alphabet.charAt(byte % alphabet.length)).join('')}`;
}
