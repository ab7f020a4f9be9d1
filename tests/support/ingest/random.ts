/** Random numbers that a seed repeats: mulberry32, public domain. */
export interface Random {
  /** An integer from `min` up to and including `max`. */
  integer(min: number, max: number): number;
  shuffle<T>(values: readonly T[]): T[];
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  const integer = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1));
  return {
    integer,
    shuffle<T>(values: readonly T[]): T[] {
      const keyed = values.map((value) => ({ value, key: next() }));
      return keyed.toSorted((a, b) => a.key - b.key).map(({ value }) => value);
    },
  };
}
