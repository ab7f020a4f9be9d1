import { AppError } from '#core/errors/app-error.ts';
import { createPathTree, type PathTree } from './path-tree.ts';
import { createRoute, type Outage, type Route, type RouteDefinition, type RouteOwner } from './route.ts';

export type RouteMatch =
  | { readonly kind: 'found'; readonly route: Route; readonly segments: readonly string[] }
  /** The path exists under other verbs. */
  | { readonly kind: 'other-verb'; readonly template: string; readonly allow: string }
  /** `outage`: nobody has registered it, and the plugin that would is not ready. */
  | { readonly kind: 'none'; readonly outage?: Outage };

export interface RouteTable {
  /**
   * Registers a route. The same plugin's later process replaces the route of its earlier one.
   *
   * @throws {AppError} ROUTE_CONFLICT, INVALID_CALL, INVALID_SCHEMA
   */
  add(definition: RouteDefinition): Route;
  /** Drops the routes that earlier processes of this plugin registered and this one did not. Call it when the plugin is ready. */
  removeStale(owner: RouteOwner): void;
  /** Drops every route of the plugin. */
  remove(ownerName: string): void;
  /** HEAD is looked up as GET. */
  match(verb: string, path: string): RouteMatch;
  /** In the order of registration. */
  list(): readonly Route[];
  /** Changes whenever a route does. */
  readonly version: number;
}

export interface RouteTableOptions {
  /** @default 200 */
  readonly routesPerOwnerMax?: number;
  /** Asked for paths without a route. @default nobody is awaited */
  readonly outageOf?: (path: string) => Outage | undefined;
}

const none: RouteMatch = { kind: 'none' };

/**
 * Invariants: one route for each verb and path shape; one spelling of the parameters for each shape (OpenAPI knows
 * templates of one shape as the same path); a route changes its owner only to a later process of the same plugin.
 */
export function createRouteTable(options: RouteTableOptions = {}): RouteTable {
  const { routesPerOwnerMax = 200, outageOf } = options;
  const routes = new Map<string, Route>();
  let tree: PathTree<Route> = createPathTree();
  let version = 0;

  const drop = (isDropped: (route: Route) => boolean): void => {
    const dropped = [...routes].filter(([, route]) => isDropped(route));
    if (dropped.length === 0) return;
    for (const [key] of dropped) routes.delete(key);
    tree = createPathTree();
    for (const route of routes.values()) tree.set(route.verb, route.path.template, route);
    version += 1;
  };

  return {
    add(definition) {
      const route = createRoute(definition);
      const key = `${route.verb} ${route.path.shape}`;
      const earlier = routes.get(key);
      assertFree(route, earlier);
      assertSameSpelling(route, routes.values());
      if (earlier === undefined) assertCount(route, routes.values(), routesPerOwnerMax);
      // What was answered before a restart was answered: the pages of these codes stay.
      for (const [code, problem] of earlier?.problems ?? []) route.problems.set(code, problem);
      routes.set(key, route);
      tree.set(route.verb, route.path.template, route);
      version += 1;
      return route;
    },
    removeStale: (owner) => drop((route) => route.owner.name === owner.name && route.owner.id !== owner.id),
    remove: (ownerName) => drop((route) => route.owner.name === ownerName),
    match(verb, path) {
      const found = tree.find(path);
      if (found === undefined) {
        const outage = outageOf?.(path);
        return outage === undefined ? none : { kind: 'none', outage };
      }
      const route = found.verbs.get(verb === 'HEAD' ? 'GET' : verb);
      if (route !== undefined) return { kind: 'found', route, segments: found.segments };
      const [first] = found.verbs.values();
      return { kind: 'other-verb', template: first?.path.template ?? path, allow: allowedVerbs(found.verbs) };
    },
    list: () => [...routes.values()],
    get version() {
      return version;
    },
  };
}

function assertFree(route: Route, existing: Route | undefined): void {
  if (existing === undefined || (existing.owner.name === route.owner.name && existing.owner.id !== route.owner.id))
    return;
  const holder =
    existing.owner.name === route.owner.name
      ? 'it is registered already'
      : `${describeOwner(existing)} has registered it`;
  throw new AppError(
    'ROUTE_CONFLICT',
    `Cannot register route "${route.name}" for ${describeOwner(route)}: ${holder} as "${existing.name}"`,
  );
}

/** A plugin's own routes of an earlier process do not count: a new version may name its parameters anew. */
function assertSameSpelling(route: Route, all: Iterable<Route>): void {
  for (const other of all) {
    if (other.path.shape !== route.path.shape || other.path.template === route.path.template) continue;
    if (other.owner.name === route.owner.name && other.owner.id !== route.owner.id) continue;
    throw new AppError(
      'ROUTE_CONFLICT',
      `Cannot register route "${route.name}" for ${describeOwner(route)}: "${other.name}" of ${describeOwner(other)} names the parameters of the same path differently`,
    );
  }
}

function assertCount(route: Route, all: Iterable<Route>, max: number): void {
  let count = 0;
  for (const other of all) if (other.owner.name === route.owner.name) count += 1;
  if (count >= max)
    throw new AppError(
      'INVALID_CALL',
      `Cannot register route "${route.name}": ${describeOwner(route)} may have ${max} routes and has them`,
    );
}

function describeOwner(route: Route): string {
  return route.owner.name === 'core' ? 'the core' : `plugin "${route.owner.name}"`;
}

function allowedVerbs(verbs: ReadonlyMap<string, Route>): string {
  return [...verbs.keys(), ...(verbs.has('GET') ? ['HEAD'] : []), 'OPTIONS'].sort().join(', ');
}
