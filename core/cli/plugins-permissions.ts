import type { Command } from 'commander';
import { readGrants } from '#core/plugin-host/permissions/grants.ts';
import { grantCommand } from '#core/plugin-host/permissions/grant-command.ts';
import { covers, overlaps } from '#core/plugin-host/permissions/permission-match.ts';
import { permissionNames, type GrantablePermission } from '#core/plugin-host/permissions/permission-names.ts';
import {
  collectRules,
  idleGrants,
  missingGrants,
  type PermissionRules,
  type Rule,
} from '#core/plugin-host/permissions/permission-rules.ts';
import {
  addPluginPathOption,
  findPlugin,
  grantsPathOf,
  type PluginPathOptions,
  type PluginsCommandDeps,
} from './plugins-context.ts';
import { formatTable, plainText } from './text-table.ts';

interface PermissionRow {
  readonly permission: GrantablePermission;
  readonly requested: string;
  readonly state: 'granted' | 'partly granted' | 'denied' | 'missing' | 'not granted, optional';
  /** What holds of the request: all of it, or the narrower grants. */
  readonly granted: readonly string[];
  readonly denied: readonly string[];
  readonly why: string | null;
}

/** `returnit plugins permissions NAME [--json]` */
export function registerPluginsPermissionsCommand(plugins: Command, deps: PluginsCommandDeps): void {
  addPluginPathOption(plugins.command('permissions'))
    .description('what a plugin asks for, what is granted and what is denied')
    .argument('<name>')
    .option('--json', 'as JSON')
    .action(async (name: string, options: PluginPathOptions & { readonly json?: true }) => {
      const plugin = await findPlugin(deps, options, name);
      const { manifest } = plugin;
      const rules = collectRules({ manifest, grants: await readGrants(grantsPathOf(deps)) });
      const rows = permissionNames.flatMap((permission) => toRows(permission, rules[permission]));
      const missing = missingGrants(rules);
      const idle = idleGrants(rules).map(({ text }) => text);
      if (options.json === true) {
        deps.stdout.write(
          `${JSON.stringify({ plugin: manifest.name, version: manifest.version, permissions: rows, idle }, null, 2)}\n`,
        );
        return;
      }
      deps.stdout.write(describe(rows));
      for (const text of idle) deps.stdout.write(`\n${text} has no effect: plugin.json does not ask for it\n`);
      if (missing.length > 0) deps.stdout.write(`\nTo grant what is missing:\n  ${grantCommand(plugin, missing)}\n`);
    });
}

function toRows(permission: GrantablePermission, { requested, allow, deny }: PermissionRules): PermissionRow[] {
  return requested.map(({ resource, why, optional }) => {
    const whole = allow.some((rule) => rule.resource === null || covers(permission, rule.resource, resource));
    const parts = allow.flatMap((rule) =>
      rule.resource !== null && covers(permission, resource, rule.resource) ? [rule.resource] : [],
    );
    const granted = whole ? [resource] : parts;
    const denials = deny.filter((rule) => rule.resource === null || overlaps(permission, rule.resource, resource));
    return {
      permission,
      requested: resource,
      state: stateOf({ permission, resource, optional, whole, granted, denials }),
      granted,
      denied: denials.map(({ text }) => text),
      why: why ?? null,
    };
  });
}

function stateOf(row: {
  readonly permission: GrantablePermission;
  readonly resource: string;
  readonly optional: boolean;
  readonly whole: boolean;
  readonly granted: readonly string[];
  readonly denials: readonly Rule[];
}): PermissionRow['state'] {
  if (row.denials.some((rule) => rule.resource === null || covers(row.permission, rule.resource, row.resource)))
    return 'denied';
  if (row.granted.length === 0) {
    if (row.denials.length > 0) return 'denied';
    return row.optional ? 'not granted, optional' : 'missing';
  }
  return row.whole && row.denials.length === 0 ? 'granted' : 'partly granted';
}

function describe(rows: readonly PermissionRow[]): string {
  if (rows.length === 0) return 'It asks for nothing\n';
  const cells = rows.map(({ permission, requested, state, granted, denied, why }) => [
    permission,
    requested,
    state === 'partly granted' ? `${granted.join(', ')} alone` : state,
    denied.join(', ') || '-',
    plainText(why ?? '-'),
  ]);
  return formatTable(['PERMISSION', 'REQUESTED', 'GRANTED', 'DENIED BY', 'WHY'], cells);
}
