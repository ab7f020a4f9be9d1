import type { Route } from '../route.ts';

/** `orders:read`, `orders:write` (reading included), or `*:…` for every group but the keys themselves. */
export const scopePattern = '^(?:\\*|[a-z0-9][a-z0-9-]{0,39}):(?:read|write)$';

/** Who may make keys may make one that may all: it is never meant by `*`. */
const ownGroup = 'api-keys';

/** The scope that an API key must have for a route: its group is the first segment of its path. */
export function scopeOf({ group, verb }: Pick<Route, 'group' | 'verb'>): string {
  return `${group}:${verb === 'GET' ? 'read' : 'write'}`;
}

/** Whether one of these scopes holds the wanted one. */
export function coversScope(scopes: readonly string[], wanted: string): boolean {
  const [group = '', access = ''] = wanted.split(':');
  return scopes.some((scope) => {
    const [ownedGroup, ownedAccess] = scope.split(':');
    const isGroup = ownedGroup === group || (ownedGroup === '*' && group !== ownGroup);
    return isGroup && (ownedAccess === access || ownedAccess === 'write');
  });
}
