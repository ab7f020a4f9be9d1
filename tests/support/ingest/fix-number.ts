/** Fixes of a test are numbered; the number travels as the fix's time, so it is found again in whatever form it is stored. */
export interface FixNumbers {
  /** Of the fix with number 0. */
  readonly baseMs: number;
  payloadOf(number: number): string;
}

const recordedAtPattern = /"recordedAt":"([^"]+)"/;

/** @param baseMs whole milliseconds; an hour of numbers fits between it and what the platform takes for the future */
export function createFixNumbers(baseMs: number): FixNumbers {
  return {
    baseMs,
    payloadOf: (number) =>
      JSON.stringify({ lat: 48.1276, lon: 11.5755, recordedAt: new Date(baseMs + number).toISOString(), accuracyM: 4 }),
  };
}

/** The time in a payload of ours, in epoch milliseconds; undefined in any other text. */
export function readFixTime(text: string): number | undefined {
  const [, recordedAt] = recordedAtPattern.exec(text) ?? [];
  return recordedAt === undefined ? undefined : Date.parse(recordedAt);
}
