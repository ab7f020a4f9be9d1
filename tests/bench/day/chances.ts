import type { Random } from '../../support/ingest/random.ts';

export interface Chances {
  between(min: number, max: number): number;
  ofOffer(): 'accept' | 'decline' | 'ignore';
  pickupFails(): boolean;
  /** What a customer pays with; some cards are declined. */
  card(): string | undefined;
  customerCancels(): boolean;
  customerTriesAgain(): boolean;
}

const thousand = 1000;

/** How often things go another way than they should, drawn from a seed. */
export function createChances(random: Random): Chances {
  const oneIn = (share: number): boolean => random.integer(1, thousand) <= share * thousand;
  return {
    between: (min, max) => min + ((max - min) * random.integer(0, thousand)) / thousand,
    ofOffer: () => (oneIn(0.9) ? 'accept' : oneIn(0.7) ? 'decline' : 'ignore'),
    pickupFails: () => oneIn(0.03),
    card: () => (oneIn(0.03) ? 'tok_declined' : undefined),
    customerCancels: () => oneIn(0.06),
    customerTriesAgain: () => oneIn(0.7),
  };
}
