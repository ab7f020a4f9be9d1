import { hash } from 'node:crypto';
import type { RouteResponse } from './route.ts';

/** Of a hash of the whole body: two bodies of one tag are not to be found by chance. */
const etagLength = 27;

/** A whole answer with a tag of its body, unless the handler gave it one. */
export function withEtag(response: RouteResponse): RouteResponse {
  const { status, text, headers } = response;
  if (status !== 200 || text === undefined || headers?.['etag'] !== undefined) return response;
  const etag = `"${hash('sha256', text, 'base64url').slice(0, etagLength)}"`;
  return { ...response, headers: { ...headers, etag } };
}

/** RFC 9110 §13.1.2: 304 without a body for a client that has this answer already. */
export function toConditional(response: RouteResponse, ifNoneMatch: string | undefined): RouteResponse {
  const etag = response.headers?.['etag'];
  if (ifNoneMatch === undefined || etag === undefined || response.status !== 200) return response;
  if (response.stream !== undefined || !namesTag(ifNoneMatch, etag)) return response;
  return { status: 304, ...(response.headers === undefined ? {} : { headers: response.headers }) };
}

/** The weak comparison (§8.8.3.2): `W/` makes no difference. */
function namesTag(ifNoneMatch: string, etag: string): boolean {
  if (ifNoneMatch.trim() === '*') return true;
  const opaque = etag.replace(/^W\//, '');
  return ifNoneMatch.matchAll(/"[\x21\x23-\x7e\x80-\xff]*"/g).some(([tag]) => tag === opaque);
}
