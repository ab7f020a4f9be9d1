/** RFC 9457: what HTTP, server-sent events and a refused WebSocket answer with. */
export const problemContentType = 'application/problem+json';

/** The `type` of a code's problems: relative to the API, and a page there. */
export function problemType(code: string): string {
  return `/problems/${code.toLowerCase().replaceAll('_', '-')}`;
}
