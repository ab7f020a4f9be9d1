/** From manifests, grants.json and flags to what holds for this run; asks for what is missing, or says how to grant it. */
import { AppError } from '#core/errors/app-error.ts';
import { nearestName } from '../manifest/edit-distance.ts';
import { grantAllCommand, grantCommand, type CommandSubject } from './grant-command.ts';
import { askForGrants, type AnsweredGrant, type MissingGrant } from './grant-prompt.ts';
import type { GrantChange } from './grants-edit.ts';
import { writeGrantChange } from './grants-file.ts';
import { readGrants, type Grants } from './grants.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { collectRules, idleGrants, missingGrants, type RunRules } from './permission-rules.ts';

export interface ResolveGrantsOptions {
  /** Those that are to start. */
  readonly plugins: readonly CommandSubject[];
  /** Names that flags may mention beside those: plugins that are held. @default [] */
  readonly heldNames?: readonly string[];
  readonly grantsPath: string;
  /** @default [] */
  readonly flags?: readonly RunRules[];
  /** Where to ask for what is missing; without it a missing grant stops the start. */
  readonly terminal?: { readonly input: NodeJS.ReadableStream; readonly output: NodeJS.WritableStream };
  /** Told of each grant that was written to grants.json, for the audit. */
  readonly onGranted?: (grant: MissingGrant) => void;
  /** @default Date.now */
  readonly now?: () => number;
}

export interface ResolvedGrants {
  readonly grants: Grants;
  /** The flags, and the answers given for this run alone. */
  readonly flags: readonly RunRules[];
  /** Grants without effect. */
  readonly warnings: readonly string[];
}

/** @throws {AppError} GRANT_MISSING, INVALID_GRANTS, PLUGIN_UNKNOWN for a flag that names no plugin of this start */
export async function resolveGrants(options: ResolveGrantsOptions): Promise<ResolvedGrants> {
  const { grantsPath, flags = [], terminal, onGranted, now = Date.now } = options;
  const plugins = options.plugins.map(({ manifest }) => manifest);
  for (const flag of flags) assertPluginOf(flag, [...plugins.map(({ name }) => name), ...(options.heldNames ?? [])]);
  const grants = await readGrants(grantsPath);
  const missing = findMissing(plugins, grants, flags);
  if (missing.length === 0) return { grants, flags, warnings: findIdle(plugins, grants, flags) };
  if (terminal === undefined) throw grantMissing(missing, options.plugins);
  const answers = await askForGrants({ missing, ...terminal });
  const unanswered = missing.slice(answers.length);
  for (const answer of answers.filter(({ answer }) => answer === 'always')) {
    await writeGrantChange(grantsPath, toChange(answer, now()));
    onGranted?.(answer);
  }
  if (unanswered.length > 0) throw grantMissing(unanswered, options.plugins);
  const after = await readGrants(grantsPath);
  const runRules = [...flags, ...answers.filter(({ answer }) => answer !== 'always').map(toRunRules)];
  return { grants: after, flags: runRules, warnings: findIdle(plugins, after, flags) };
}

function assertPluginOf(flag: RunRules, names: readonly string[]): void {
  if (names.includes(flag.plugin)) return;
  const near = nearestName(flag.plugin, names);
  throw new AppError(
    'PLUGIN_UNKNOWN',
    `Cannot use ${flag.origin}=${flag.plugin}: no such plugin starts here; there are ${names.join(', ') || 'none'}${near === undefined ? '' : `. Did you mean "${near}"?`}`,
  );
}

function findMissing(plugins: readonly Manifest[], grants: Grants, flags: readonly RunRules[]): MissingGrant[] {
  return plugins.flatMap((manifest) =>
    missingGrants(collectRules({ manifest, grants, flags })).map((item) => ({
      ...item,
      plugin: { name: manifest.name, version: manifest.version },
    })),
  );
}

function findIdle(plugins: readonly Manifest[], grants: Grants, flags: readonly RunRules[]): string[] {
  return plugins.flatMap((manifest) =>
    idleGrants(collectRules({ manifest, grants, flags })).map(
      ({ text }) => `${text} has no effect: ${manifest.name}@${manifest.version} does not ask for it in plugin.json`,
    ),
  );
}

function grantMissing(missing: readonly MissingGrant[], plugins: readonly CommandSubject[]): AppError {
  const concerned = plugins.flatMap((plugin) => {
    const items = missing.filter((item) => item.plugin.name === plugin.manifest.name);
    return items.length === 0 ? [] : [{ plugin, items }];
  });
  const lines = concerned.flatMap(({ plugin, items }) => {
    const { name, version } = plugin.manifest;
    return items.map((item) => {
      const reason = item.why === undefined ? '' : ` (${item.why})`;
      return `  ${name}@${version} asks for ${item.permission} access to "${item.resource}"${reason}\n    ${grantCommand(plugin, [item])}`;
    });
  });
  const all = concerned.map(({ plugin }) => `    ${grantAllCommand(plugin)}`);
  return new AppError(
    'GRANT_MISSING',
    `Cannot start: grants are missing\n${lines.join('\n')}\n  or all that a plugin asks for:\n${all.join('\n')}`,
    {
      details: {
        missing: missing.map(({ plugin, permission, resource }) => ({ plugin: plugin.name, permission, resource })),
      },
    },
  );
}

function toChange({ plugin, permission, resource, why }: AnsweredGrant, nowMs: number): GrantChange {
  return {
    plugin: plugin.name,
    allow: { [permission]: [resource] },
    at: new Date(nowMs).toISOString(),
    ...(why === undefined ? {} : { reason: why }),
  };
}

function toRunRules({ plugin, permission, resource, answer }: AnsweredGrant): RunRules {
  const effect = answer === 'yes' ? 'allow' : 'deny';
  return {
    plugin: plugin.name,
    permission,
    resources: [resource],
    effect,
    origin: `answer "${answer === 'yes' ? 'y' : 'n'}"`,
  };
}
