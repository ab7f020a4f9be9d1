/** What plugins answer, read without their types: a command must not fail because a plugin says more, or less. */
export type Fields = Readonly<Record<string, unknown>>;

export function toFields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

/** The list under this name; what is none is empty. */
export function toList(value: unknown, name: string): readonly Fields[] {
  const list = toFields(value)[name];
  return Array.isArray(list) ? list.map(toFields) : [];
}

export function textOf(fields: Fields, name: string): string | null {
  const value = fields[name];
  if (typeof value === 'string') return value === '' ? null : value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}

/** `12.50 USD`; nearly all currencies have two decimals, and Intl knows the others. */
export function moneyOf(fields: Fields, name: string): string | null {
  const minor = fields[name];
  const currency = textOf(fields, 'currency');
  if (typeof minor !== 'number') return null;
  if (currency === null || !/^[A-Z]{3}$/.test(currency)) return String(minor);
  const digits = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits;
  return `${(minor / 10 ** (digits ?? 2)).toFixed(digits ?? 2)} ${currency}`;
}

/** Those that are there, with what stands before each. */
export function phrase(...parts: readonly (string | null | undefined | false)[]): string {
  return parts.filter((part) => typeof part === 'string' && part !== '').join(' ');
}
