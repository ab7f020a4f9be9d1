/** Where a page of a list ends: opaque to clients. */
export function toCursor(parts: readonly string[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** Undefined when it is none of ours. */
export function fromCursor(cursor: string, forms: readonly RegExp[]): readonly string[] | undefined {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    return undefined; // Whatever it is, we have not written it.
  }
  if (!Array.isArray(parts) || parts.length !== forms.length) return undefined;
  const texts = parts.filter((part): part is string => typeof part === 'string');
  return texts.length === forms.length && forms.every((form, index) => form.test(texts[index] ?? ''))
    ? texts
    : undefined;
}

export const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
export const instantForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
export const serialForm = /^\d{1,18}$/;
