/**
 * What is covered by what. Requests, grants, denials and the resource of a call are all written in one form per permission:
 *
 * | permission | form | covers |
 * |---|---|---|
 * | `http`   | `/orders`, `public GET /orders/{id}/track` | a prefix covers what continues it at a `/`; `public` covers that one route |
 * | `db`     | `schema.view`, `publish view` | itself |
 * | `jobs`   | `parcels.expire`, `parcels.*` | a final `*` is one or more segments |
 * | `events` | `publish order.*`, `subscribe order.created` | the same, verb by verb |
 * | `mqtt`   | `subscribe drivers/+/location`, `publish …`, `issue …` | what the filter contains, verb by verb |
 * | `live`   | `orders/{orderId}/position`, `orders/*` | `{name}` is one segment, a final `*` one or more |
 * | `net`    | see permission-net.ts | |
 * | `mail`   | `example.com`, `*.example.com`, `*` | a domain of recipients; `*.` is all below it |
 * | `env`    | `STRIPE_KEY`, `STRIPE_*` | a final `*` is any rest |
 * | `read`   | `assets/templates` | itself and what lies below |
 */
import { filterContains } from '#core/mqtt/topic-filter.ts';
import { netCovers, parseNetResource } from './permission-net.ts';
import type { GrantablePermission } from './permission-names.ts';
import { segmentsCover, segmentsOverlap } from './permission-segments.ts';

/** `outer` (a request, a grant, a denial) covers all of `inner`. Texts that are no resource cover and are covered by nothing. */
export function covers(permission: GrantablePermission, outer: string, inner: string): boolean {
  const a = splitVerb(permission, outer);
  const b = splitVerb(permission, inner);
  if (a.verb !== b.verb) return false;
  switch (permission) {
    case 'http':
      return segmentsCover(pathSegments(a.rest), pathSegments(b.rest), { prefix: a.verb === '' });
    case 'live':
      return segmentsCover(pathSegments(a.rest), pathSegments(b.rest));
    case 'jobs':
    case 'events':
      return segmentsCover(a.rest.split('.'), b.rest.split('.'));
    case 'mqtt':
      return filterContains(a.rest, b.rest);
    case 'net': {
      const [netOuter, netInner] = [parseNetResource(a.rest), parseNetResource(b.rest)];
      return netOuter !== undefined && netInner !== undefined && netCovers(netOuter, netInner);
    }
    case 'mail':
      return a.rest.startsWith('*') ? b.rest.endsWith(a.rest.slice(1)) : a.rest === b.rest;
    case 'env':
      return a.rest.endsWith('*') ? b.rest.startsWith(a.rest.slice(0, -1)) : a.rest === b.rest;
    case 'read':
      return (
        segmentsCover(pathSegments(a.rest), pathSegments(b.rest), { prefix: true }) &&
        isRooted(a.rest) === isRooted(b.rest)
      );
    default:
      return a.rest === b.rest;
  }
}

/**
 * A denial hits whatever it has anything in common with: `subscribe drivers/#` is stopped by a denial of
 * `subscribe drivers/+/audio`, which it would otherwise reach around.
 */
export function overlaps(permission: GrantablePermission, denial: string, resource: string): boolean {
  if (covers(permission, denial, resource)) return true;
  const a = splitVerb(permission, denial);
  const b = splitVerb(permission, resource);
  if (a.verb !== b.verb) return false;
  switch (permission) {
    case 'http':
      return segmentsOverlap(pathSegments(a.rest), pathSegments(b.rest), { prefix: a.verb === '' });
    case 'live':
      return segmentsOverlap(pathSegments(a.rest), pathSegments(b.rest));
    case 'jobs':
    case 'events':
      return segmentsOverlap(a.rest.split('.'), b.rest.split('.'));
    case 'mqtt':
      return filtersOverlap(a.rest.split('/'), b.rest.split('/'));
    default:
      return covers(permission, resource, denial);
  }
}

/** Verb and what it applies to; a permission without verbs has the verb ''. */
export function splitVerb(
  permission: GrantablePermission,
  resource: string,
): { readonly verb: string; readonly rest: string } {
  if (permission === 'http') {
    const match = /^public ([A-Z]+) (.*)$/.exec(resource);
    return match === null ? { verb: '', rest: resource } : { verb: `public ${match[1]}`, rest: match[2] ?? '' };
  }
  if (permission === 'db') {
    const match = /^(read|publish) (.*)$/.exec(resource);
    return { verb: match?.[1] === 'publish' ? 'publish' : '', rest: match?.[2] ?? resource };
  }
  if (permission !== 'events' && permission !== 'mqtt') return { verb: '', rest: resource };
  const space = resource.indexOf(' ');
  return { verb: resource.slice(0, Math.max(space, 0)), rest: resource.slice(space + 1) };
}

const pathSegments = (path: string): readonly string[] => path.split('/').filter((segment) => segment !== '');
const isRooted = (path: string): boolean => path.startsWith('/');

function filtersOverlap(a: readonly string[], b: readonly string[]): boolean {
  const [first, ...restA] = a;
  const [other, ...restB] = b;
  if (first === '#' || other === '#') return true;
  if (first === undefined || other === undefined) return first === other;
  return (first === '+' || other === '+' || first === other) && filtersOverlap(restA, restB);
}
