import { InvalidArgumentError } from 'commander';
import { plainText } from './text-table.ts';

export function parseOrderId(text: string): string {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(text))
    throw new InvalidArgumentError('It must be an id as "returnit orders find" shows it.');
  return text;
}

/** Money is written in the smallest unit: 12.50 would be one thing to one operator and another to the next. */
export function parseMinor(text: string): number {
  const amount = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(amount >= 1 && amount <= 2_147_483_647))
    throw new InvalidArgumentError("It must be a whole number of the currency's smallest unit: 1250 are 12.50 USD.");
  return amount;
}

export function parseText(text: string): string {
  if (text.length === 0 || text.length > 200 || plainText(text) !== text)
    throw new InvalidArgumentError('It must be one line of at most 200 characters.');
  return text;
}
