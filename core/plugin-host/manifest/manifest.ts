import { readFile, stat } from 'node:fs/promises';
import type { PermissionName } from '#plugin-api';
import { AppError } from '#core/errors/app-error.ts';
import { createDocumentCheck, type MeaningProblem } from './document-check.ts';
import type { JsonPath } from './json-document.ts';
import {
  ManifestSchema,
  type ManifestDocument,
  type ManifestLimits,
  type ManifestPermissions,
  type MetricDeclaration,
} from './manifest-schema.ts';
import { metricProblem } from './manifest-metrics.ts';
import { permissionNames, type GrantablePermission } from '../permissions/permission-names.ts';
import { resourceProblem } from '../permissions/permission-syntax.ts';

/** What a plugin is and asks for, as its `plugin.json` says. Plain data: no code of the plugin has run. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  /** Path of the module inside the plugin's folder. */
  readonly main: string;
  readonly permissions: Readonly<ManifestPermissions>;
  readonly metrics: Readonly<Record<string, MetricDeclaration>>;
  readonly limits: Readonly<ManifestLimits>;
}

/** One thing asked for, in the form that grants and calls use (see permission-match.ts). */
export interface RequestedItem {
  readonly permission: GrantablePermission;
  readonly resource: string;
  readonly why: string | undefined;
  /** The plugin works without it. */
  readonly optional: boolean;
}

const manifestMaxBytes = 65_536;
const reservedNames = /^(core|public|pgboss|returnit|monitor|plugins|postgres|information-schema|pg-.*)$/;

const checkManifest = createDocumentCheck<ManifestDocument>({
  schema: ManifestSchema,
  code: 'INVALID_MANIFEST',
  meaning: (manifest) => [...nameProblems(manifest), ...resourceProblems(manifest), ...metricProblems(manifest)],
});

/**
 * @param file as it shall stand in messages
 * @throws {AppError} INVALID_MANIFEST with every problem: file, line, column, path, what it is, what would be right
 */
export function parseManifest(text: string, file: string): Manifest {
  const { value } = checkManifest(text, file);
  return {
    name: value.name,
    version: value.version,
    description: value.description ?? '',
    main: value.main ?? 'plugin.ts',
    permissions: value.permissions ?? {},
    metrics: value.metrics ?? {},
    limits: value.limits ?? {},
  };
}

/** @throws {AppError} INVALID_MANIFEST */
export async function readManifest(path: string, file: string = path): Promise<Manifest> {
  const { size } = await stat(path).catch((cause: unknown) => {
    throw new AppError('INVALID_MANIFEST', `Cannot read ${file}: ${(cause as Error).message}`, { cause });
  });
  if (size > manifestMaxBytes) {
    throw new AppError(
      'INVALID_MANIFEST',
      `Cannot read ${file}: it has ${size} bytes, at most ${manifestMaxBytes} are allowed`,
    );
  }
  return parseManifest(await readFile(path, 'utf8'), file);
}

interface PlacedItem extends RequestedItem {
  readonly path: JsonPath;
}

/** Everything the manifest asks for, one item a resource. */
export function requestedItems(manifest: {
  readonly permissions: Readonly<ManifestPermissions>;
}): readonly RequestedItem[] {
  return placedItems(manifest.permissions).map(({ permission, resource, why, optional }) => ({
    permission,
    resource,
    why,
    optional,
  }));
}

/** The same as lists by permission, without those that ask for nothing. */
export function requestedResources(manifest: {
  readonly permissions: Readonly<ManifestPermissions>;
}): Readonly<Partial<Record<GrantablePermission, readonly string[]>>> {
  const items = requestedItems(manifest);
  const lists = permissionNames.map(
    (name) => [name, items.filter((item) => item.permission === name).map((item) => item.resource)] as const,
  );
  return Object.fromEntries(lists.filter(([, resources]) => resources.length > 0));
}

/** Member of the section, and the verb that it puts before its resources. */
const members: Readonly<Record<GrantablePermission, readonly (readonly [member: string, verb: string])[]>> = {
  http: [
    ['routes', ''],
    ['public', 'public '],
  ],
  db: [
    ['read', ''],
    ['publish', 'publish '],
  ],
  jobs: [['queues', '']],
  events: [
    ['publish', 'publish '],
    ['subscribe', 'subscribe '],
  ],
  mqtt: [
    ['subscribe', 'subscribe '],
    ['publish', 'publish '],
    ['issue', 'issue '],
  ],
  live: [['channels', '']],
  net: [['hosts', '']],
  mail: [['domains', '']],
  env: [['names', '']],
  read: [['paths', '']],
};

function placedItems(permissions: Readonly<ManifestPermissions>): readonly PlacedItem[] {
  return permissionNames.flatMap((permission) => {
    const section: Readonly<Record<string, unknown>> = permissions[permission] ?? {};
    const why = section['why'] as string | undefined;
    const optional = section['optional'] === true;
    return members[permission].flatMap(([member, verb]) =>
      ((section[member] as readonly string[] | undefined) ?? []).map((resource, index) => ({
        permission,
        resource: `${verb}${resource}`,
        why,
        optional,
        path: ['permissions', permission, member, index],
      })),
    );
  });
}

function nameProblems(manifest: ManifestDocument): MeaningProblem[] {
  if (!reservedNames.test(manifest.name)) return [];
  return [{ path: ['name'], message: `must not be ${JSON.stringify(manifest.name)}: the name is reserved` }];
}

const publicRoute = /^(GET|POST|PUT|PATCH|DELETE) \//;
const viewName = /^[a-z_][a-z0-9_]*$/;

function resourceProblems(manifest: ManifestDocument): MeaningProblem[] {
  return placedItems(manifest.permissions ?? {}).flatMap(({ permission, resource, path }) => {
    const message =
      memberProblem(permission, resource, String(path[2])) ??
      resourceProblem(permission, resource, { portRequired: true });
    return message === undefined ? [] : [{ path, message }];
  });
}

/** A member takes one form alone: "publish x" under `db.read` would otherwise pass for the other kind. */
function memberProblem(permission: PermissionName, resource: string, member: string): string | undefined {
  const shown = JSON.stringify(resource.replace(/^(public|publish) /, ''));
  if (permission === 'http' && member === 'routes' && !resource.startsWith('/'))
    return `must be a path prefix such as "/orders": it is ${shown}`;
  if (permission === 'http' && member === 'public' && !publicRoute.test(resource.slice('public '.length))) {
    return `must be a verb and a path such as "GET /orders/{orderId}/track": it is ${shown}`;
  }
  if (permission === 'db' && member === 'read' && resource.includes(' '))
    return `must be a view such as "tracking.driver_position": it is ${shown}`;
  if (permission === 'db' && member === 'publish' && !viewName.test(resource.slice('publish '.length))) {
    return `must be the name of an own view such as "driver_position": it is ${shown}`;
  }
  return undefined;
}

function metricProblems(manifest: ManifestDocument): MeaningProblem[] {
  return Object.entries(manifest.metrics ?? {}).flatMap(([name, declaration]) => {
    const message = metricProblem(manifest.name, name, declaration);
    return message === undefined ? [] : [{ path: ['metrics', name], message }];
  });
}
