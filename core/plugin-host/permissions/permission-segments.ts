/**
 * Names made of segments: event and queue names (`order.created`), routes (`/orders/{orderId}`) and live channels
 * (`orders/{orderId}/position`). `{name}` stands for one segment of any value; a `*` at the end for one or more.
 * A resource is a pattern as well: a plugin asks for the channel `orders/{orderId}/position` as a whole.
 */

const isParameter = (segment: string): boolean => segment.startsWith('{');

/** Everything that `inner` stands for, `outer` stands for too. With `prefix`, whatever continues `outer` counts as well. */
export function segmentsCover(
  outer: readonly string[],
  inner: readonly string[],
  options: { readonly prefix?: boolean } = {},
): boolean {
  for (const [index, segment] of outer.entries()) {
    const other = inner[index];
    if (other === undefined) return false;
    if (segment === '*') return true;
    if (other === '*') return false;
    if (!isParameter(segment) && (isParameter(other) || segment !== other)) return false;
  }
  return options.prefix === true || inner.length === outer.length;
}

/** Something exists that both stand for. With `prefix`, whatever continues `a` counts as `a`. */
export function segmentsOverlap(
  a: readonly string[],
  b: readonly string[],
  options: { readonly prefix?: boolean } = {},
): boolean {
  for (const [index, segment] of a.entries()) {
    const other = b[index];
    if (other === undefined) return false;
    if (segment === '*' || other === '*') return true;
    if (!isParameter(segment) && !isParameter(other) && segment !== other) return false;
  }
  return options.prefix === true || b.length === a.length;
}
