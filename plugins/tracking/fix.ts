/** What is noted of a fix that is kept all the same. */
export const fixFlags = ['inaccurate', 'impossible_speed'] as const;
export type FixFlag = (typeof fixFlags)[number];

/** Where a driver was, when, and how well it is known. */
export interface Fix {
  readonly driverId: string;
  readonly device: string;
  /** ISO 8601 in UTC with milliseconds. */
  readonly recordedAt: string;
  readonly lat: number;
  readonly lon: number;
  readonly accuracyM: number | null;
  readonly speedMps: number | null;
  /** Clockwise from north, 0 to below 360. */
  readonly headingDeg: number | null;
  /** `inaccurate`: kept, and moves neither the newest position nor the live stream. `impossible_speed`: kept. */
  readonly flags: readonly FixFlag[];
}

const flagBits: Readonly<Record<FixFlag, number>> = { inaccurate: 1, impossible_speed: 2 };

/** As the database has them: 1 inaccurate, 2 impossible speed. */
export function toFlagBits(flags: readonly FixFlag[]): number {
  return flags.reduce((bits, flag) => bits | flagBits[flag], 0);
}

/** What a message itself can be rejected for. */
export const messageReasons = [
  'topic',
  'encoding',
  'payload_too_large',
  'malformed_json',
  'schema',
  'encrypted',
  'range',
  'null_island',
  'time_unreadable',
  'future',
  'too_old',
] as const;
/** What its sender can be refused for. */
export const senderReasons = ['unknown_driver', 'suspended_device', 'rate_exceeded'] as const;
export const rejectionReasons = [...messageReasons, ...senderReasons] as const;
export type RejectionReason = (typeof rejectionReasons)[number];

export interface Rejection {
  readonly kind: 'rejected';
  readonly reason: RejectionReason;
  /** For a person: which rule, and never a coordinate. */
  readonly detail: string;
}

export const rejected = (reason: RejectionReason, detail: string): Rejection => ({ kind: 'rejected', reason, detail });

/** What became of a message; all three are acknowledged. */
export type Outcome = { readonly kind: 'accepted' } | { readonly kind: 'ignored' } | Rejection;
