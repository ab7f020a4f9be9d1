import { AppError } from '#core/errors/app-error.ts';
import type { DiscoveredPlugin } from '../manifest/discovery.ts';
import { createLockEntry, lockKey, type Lock, type LockEntry, type RequestedLists } from './lock.ts';
import { covers } from '../permissions/permission-match.ts';
import { permissionNames } from '../permissions/permission-names.ts';
import { lockCommand } from '../permissions/grant-command.ts';

export interface HeldPlugin {
  readonly plugin: DiscoveredPlugin;
  readonly reason: 'not-locked' | 'asks-for-more' | 'files-changed';
  /** LOCK_MISMATCH; its message says what differs and which command to run. */
  readonly error: AppError;
}

export interface LockVerification {
  /** May start. */
  readonly admitted: readonly DiscoveredPlugin[];
  /** Must not start. */
  readonly held: readonly HeldPlugin[];
  /** For the log: what has changed and is let pass. */
  readonly notices: readonly string[];
}

export interface VerifyLockOptions {
  readonly plugins: readonly DiscoveredPlugin[];
  readonly lock: Lock;
  /** Whoever develops a plugin changes its files all the time: then changed files are a notice, asking for more never. */
  readonly development: boolean;
}

export async function verifyLock(options: VerifyLockOptions): Promise<LockVerification> {
  const admitted: DiscoveredPlugin[] = [];
  const held: HeldPlugin[] = [];
  const notices: string[] = [];
  for (const plugin of options.plugins) {
    const locked = options.lock.plugins[lockKey(plugin)];
    const found = await createLockEntry(plugin);
    const reason = compare(locked, found, options.development);
    if (reason !== undefined) held.push({ plugin, reason, error: refusal(plugin, reason, { locked, found }) });
    else {
      admitted.push(plugin);
      if (locked !== undefined && locked.tree !== found.tree) notices.push(notice(plugin, locked, found));
    }
  }
  return { admitted, held, notices };
}

function compare(
  locked: LockEntry | undefined,
  found: LockEntry,
  development: boolean,
): HeldPlugin['reason'] | undefined {
  if (locked === undefined) return 'not-locked';
  if (addedRequests(locked.requested, found.requested).length > 0) return 'asks-for-more';
  return locked.tree !== found.tree && !development ? 'files-changed' : undefined;
}

/** What is asked for now and was not covered by what was asked for then, as `net api.stripe.com:443`. */
export function addedRequests(before: RequestedLists, after: RequestedLists): readonly string[] {
  return permissionNames.flatMap((name) =>
    (after[name] ?? [])
      .filter((resource) => !(before[name] ?? []).some((old) => old === resource || covers(name, old, resource)))
      .map((resource) => `${name} ${resource}`),
  );
}

/** Lines with `+` and `-` of what is asked for now and then. */
export function requestDifference(before: RequestedLists, after: RequestedLists): readonly string[] {
  return [
    ...addedRequests(before, after).map((item) => `+ ${item}`),
    ...addedRequests(after, before).map((item) => `- ${item}`),
  ];
}

function refusal(
  plugin: DiscoveredPlugin,
  reason: HeldPlugin['reason'],
  { locked, found }: { readonly locked: LockEntry | undefined; readonly found: LockEntry },
): AppError {
  const { name, version } = plugin.manifest;
  const difference = locked === undefined ? [] : requestDifference(locked.requested, found.requested);
  const lines = [
    `Cannot start ${name}@${version}: ${whatDiffers(reason, locked)}`,
    ...difference.map((line) => `  ${line}`),
    `  review ${reason === 'files-changed' ? 'the change' : 'what it asks for'}, then run: ${lockCommand(plugin)}`,
  ];
  return new AppError('LOCK_MISMATCH', lines.join('\n'), {
    details: { plugin: name, version, reason, difference, command: lockCommand(plugin) },
  });
}

function whatDiffers(reason: HeldPlugin['reason'], locked: LockEntry | undefined): string {
  if (locked === undefined) return 'it is not in plugins/plugins.lock';
  if (reason === 'asks-for-more') return `it asks for more than version ${locked.version} in plugins/plugins.lock`;
  return `its files differ from version ${locked.version} in plugins/plugins.lock`;
}

function notice({ manifest }: DiscoveredPlugin, locked: LockEntry, found: LockEntry): string {
  const difference = requestDifference(locked.requested, found.requested);
  const less = difference.length === 0 ? '' : ` (${difference.join(', ')})`;
  return `${manifest.name}@${manifest.version} differs from version ${locked.version} in plugins/plugins.lock${less}: let pass in development`;
}
