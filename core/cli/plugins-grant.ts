import { join } from 'node:path';
import type { Command } from 'commander';
import { AppError } from '#core/errors/app-error.ts';
import { createAudit } from '#core/plugin-host/audit/audit.ts';
import type { DiscoveredPlugin } from '#core/plugin-host/manifest/discovery.ts';
import { withFileLock } from '#core/plugin-host/file-lock.ts';
import { writeGrantChange } from '#core/plugin-host/permissions/grants-file.ts';
import { readGrants, type RulesByPermission } from '#core/plugin-host/permissions/grants.ts';
import { requestedResources } from '#core/plugin-host/manifest/manifest.ts';
import { overlaps } from '#core/plugin-host/permissions/permission-match.ts';
import { permissionNames } from '#core/plugin-host/permissions/permission-names.ts';
import { collectRules, idleGrants } from '#core/plugin-host/permissions/permission-rules.ts';
import { addPluginGrantFlags, parsePluginGrantFlags } from './grant-flags.ts';
import {
  addPluginPathOption,
  auditDirOf,
  findPlugin,
  grantsPathOf,
  nowOf,
  operatorOf,
  type PluginPathOptions,
  type PluginsCommandDeps,
} from './plugins-context.ts';

interface GrantCommandOptions extends PluginPathOptions {
  readonly allRequested?: true;
  readonly reason?: string;
  readonly json?: true;
}

interface ChangedItem {
  readonly decision: 'grant' | 'revoke';
  readonly permission: (typeof permissionNames)[number];
  readonly resource: string;
}

/** `returnit plugins grant NAME --allow-net=… --deny-net=… | --all-requested`: writes grants.json and the audit. */
export function registerPluginsGrantCommand(plugins: Command, deps: PluginsCommandDeps): void {
  const command = addPluginPathOption(plugins.command('grant'))
    .description('allow or deny a plugin what it asks for, in plugins/grants.json')
    .argument('<name>')
    .option('--all-requested', 'allow all that plugin.json asks for now')
    .option('--reason <text>', 'kept beside the grant')
    .option('--json', 'as JSON');
  addPluginGrantFlags(command).action(async (name: string, options: GrantCommandOptions) => {
    const plugin = await findPlugin(deps, options, name);
    const flags = parsePluginGrantFlags({ ...options });
    const allow =
      options.allRequested === true ? { ...flags.allow, ...requestedResources(plugin.manifest) } : flags.allow;
    const items = [...changedItems('grant', allow, plugin), ...changedItems('revoke', flags.deny, plugin)];
    if (items.length === 0) throw nothingToGrant(name, options.allRequested === true);
    await writeGrantChange(grantsPathOf(deps), {
      plugin: name,
      allow,
      deny: flags.deny,
      grantedBy: operatorOf(deps),
      at: new Date(nowOf(deps)).toISOString(),
      ...(options.reason === undefined ? {} : { reason: options.reason }),
    });
    await writeAudit(deps, plugin, items);
    const warnings = await findWarnings(deps, plugin, items);
    if (options.json === true)
      deps.stdout.write(`${JSON.stringify({ plugin: name, changes: items, warnings }, null, 2)}\n`);
    else deps.stdout.write(describe(name, items, warnings));
  });
}

function nothingToGrant(name: string, allRequested: boolean): AppError {
  if (allRequested) return new AppError('INVALID_GRANTS', `Cannot grant ${name} what it asks for: it asks for nothing`);
  return new AppError(
    'INVALID_GRANTS',
    `Cannot change the grants of ${name}: no permission is named. Use --allow-net=…, --deny-net=… and the like, or --all-requested`,
  );
}

function changedItems(
  decision: ChangedItem['decision'],
  rules: RulesByPermission,
  { manifest }: DiscoveredPlugin,
): ChangedItem[] {
  const requested = requestedResources(manifest);
  return permissionNames.flatMap((permission) => {
    const list = rules[permission];
    if (list === undefined) return [];
    const whole = decision === 'grant' ? (requested[permission] ?? []) : ['*'];
    return (list === true ? whole : list).map((resource) => ({ decision, permission, resource }));
  });
}

async function writeAudit(
  deps: PluginsCommandDeps,
  { manifest }: DiscoveredPlugin,
  items: readonly ChangedItem[],
): Promise<void> {
  const dir = auditDirOf(deps);
  await withFileLock(join(dir, 'operator'), async () => {
    const audit = createAudit({
      dir,
      config: deps.config,
      stream: 'operator',
      ...(deps.now === undefined ? {} : { now: deps.now }),
    });
    try {
      for (const { decision, permission, resource } of items) {
        audit.grantChanged({
          plugin: manifest,
          access: { permission, resource },
          decision,
          rule: `${operatorOf(deps)}: returnit plugins grant`,
        });
      }
    } finally {
      audit.stop();
    }
  });
}

/** Grants that change nothing: not asked for, or still denied by a broader rule. */
async function findWarnings(
  deps: PluginsCommandDeps,
  { manifest }: DiscoveredPlugin,
  items: readonly ChangedItem[],
): Promise<readonly string[]> {
  const rules = collectRules({ manifest, grants: await readGrants(grantsPathOf(deps)) });
  const idle = idleGrants(rules).map(
    ({ text }) => `${text} has no effect: ${manifest.name}@${manifest.version} does not ask for it in plugin.json`,
  );
  const denied = items.flatMap(({ decision, permission, resource }) => {
    const denial = rules[permission].deny.find(
      (rule) => rule.resource === null || overlaps(permission, rule.resource, resource),
    );
    return decision === 'grant' && denial !== undefined
      ? [`${permission} access to "${resource}" is still denied, by ${denial.text}`]
      : [];
  });
  return [...idle, ...denied];
}

function describe(name: string, items: readonly ChangedItem[], warnings: readonly string[]): string {
  const lines = items.map(({ decision, permission, resource }) => {
    const what =
      resource === '*' && decision === 'revoke' ? `all ${permission} access` : `${permission} access to "${resource}"`;
    return `${decision === 'grant' ? 'Granted' : 'Denied'} ${name} ${what}`;
  });
  return [...lines, ...warnings.map((warning) => `Warning: ${warning}`), 'It holds from the next start']
    .map((line) => `${line}\n`)
    .join('');
}
