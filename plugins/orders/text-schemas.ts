import { Type, type TString } from 'typebox';

export const closed = { additionalProperties: false } as const;

/** One line of text that begins with something visible: no control characters, of which Postgres refuses NUL. */
export const line = (maxLength: number, options: { readonly description?: string } = {}): TString =>
  Type.String({
    minLength: 1,
    maxLength,
    pattern: '^[^\\u0000-\\u0020\\u007f][^\\u0000-\\u001f\\u007f]*$',
    ...options,
  });

/** Lines of text. */
export const lines = (maxLength: number): TString =>
  Type.String({ minLength: 1, maxLength, pattern: '^[^\\u0000-\\u0009\\u000b-\\u001f\\u007f]+$' });

export const instant = Type.String({ format: 'date-time', maxLength: 40 });
export const id = Type.String({ minLength: 1, maxLength: 128 });
export const nullableText = Type.Union([Type.String({ maxLength: 1000 }), Type.Null()]);
/** Of a customer, partner or driver. */
export const principalId = (description: string): TString =>
  Type.String({ pattern: '^[A-Za-z0-9._:@|-]{1,128}$', description });
