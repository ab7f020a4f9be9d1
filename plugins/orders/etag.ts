/** A version as an entity tag. */
export const toETag = (version: number): string => `"${version}"`;

/**
 * The version that `If-Match` asks for: undefined without the header and for `*`, 0, which nothing has, for tags that are
 * none of ours. Weak tags never match (RFC 9110, 13.1.1). Of several the first of ours is taken.
 */
export function expectedVersion(headers: Readonly<Record<string, string>>): number | undefined {
  const text = headers['if-match']?.trim();
  if (text === undefined || text === '*') return undefined;
  const [, version] = /(?:^|,)\s*"(\d{1,9})"/.exec(text) ?? [];
  return version === undefined ? 0 : Number(version);
}
