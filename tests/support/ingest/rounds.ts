/** How long the durability tests go on; see CONTRIBUTING.md. */
export interface Rounds {
  readonly seeds: readonly number[];
  readonly blockSeconds: number;
}

const roundsInCi = 3;
const seedMax = 2 ** 31;

function setting(name: string): number | undefined {
  const text = process.env[name];
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`Cannot use ${name}: "${text}" is no number`);
  return value;
}

/** One seed a round. A failed round is repeated by RETURNIT_DURABILITY_SEED with its seed. */
export function readRounds(): Rounds {
  const seed = setting('RETURNIT_DURABILITY_SEED');
  const count = setting('RETURNIT_DURABILITY_ROUNDS') ?? (seed === undefined ? roundsInCi : 1);
  const first = seed ?? Math.floor(Math.random() * seedMax);
  return {
    seeds: Array.from({ length: count }, (_, index) => (first + index) % seedMax),
    blockSeconds: setting('RETURNIT_DURABILITY_BLOCK_SECONDS') ?? (count > roundsInCi ? 20 : 3),
  };
}
