import { Type, type Static } from 'typebox';
import { fixFlags } from './fix.ts';

const closed = { additionalProperties: false } as const;
const instant = Type.String({ format: 'date-time', maxLength: 40 });
const nullableNumber = Type.Union([Type.Number(), Type.Null()]);

export const DriverParams = Type.Object({ driverId: Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' }) }, closed);

// The types come of these functions.
// oxlint-disable-next-line typescript/explicit-module-boundary-types
export const toHistoryQuery = (fixesMax: number) =>
  Type.Object(
    {
      from: Type.Optional(instant),
      to: Type.Optional(instant),
      limit: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: fixesMax,
          description: `Fixes read; 100 of JSON, else ${fixesMax} by default`,
        }),
      ),
      cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 300 })),
      simplify: Type.Optional(
        Type.Number({
          minimum: 0.1,
          maximum: 10_000,
          description: 'Leave out what lies within so many metres of the line',
        }),
      ),
      format: Type.Optional(Type.Enum(['json', 'geojson', 'gpx'])),
    },
    closed,
  );
export type HistoryQuery = Static<ReturnType<typeof toHistoryQuery>>;

// oxlint-disable-next-line typescript/explicit-module-boundary-types
export const toHistoryPage = (fixesMax: number) =>
  Type.Object(
    {
      fixes: Type.Array(
        Type.Object(
          {
            device: Type.String({ maxLength: 64 }),
            recordedAt: instant,
            lat: Type.Number(),
            lon: Type.Number(),
            accuracyM: nullableNumber,
            speedMps: nullableNumber,
            headingDeg: nullableNumber,
            receivedAt: instant,
            flags: Type.Array(Type.Enum([...fixFlags]), { maxItems: fixFlags.length }),
          },
          closed,
        ),
        { maxItems: fixesMax },
      ),
      nextCursor: Type.Union([Type.String({ maxLength: 300 }), Type.Null()]),
    },
    closed,
  );
