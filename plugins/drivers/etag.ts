/** The version of a resource as an entity tag (RFC 9110, 8.8.3). */
export function toEtag(version: number): string {
  return `"${version}"`;
}

/** False when `If-Match` was sent and names other versions only; weak tags match nothing there (RFC 9110, 13.1.1). */
export function ifMatch(headers: Readonly<Record<string, string>>, version: number): boolean {
  const wanted = headers['if-match']?.trim();
  if (wanted === undefined || wanted === '*') return true;
  return wanted.split(',').some((tag) => tag.trim() === toEtag(version));
}
