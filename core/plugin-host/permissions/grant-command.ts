import type { DiscoveredPlugin } from '../manifest/discovery.ts';
import type { RequestedItem } from '../manifest/manifest.ts';
import { permissionNames } from './permission-names.ts';

/** As one word of a POSIX shell. */
export function quoteForShell(word: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A plugin as the commands find it: one from outside the project only where they are told its folder. */
export type CommandSubject = Pick<DiscoveredPlugin, 'manifest' | 'source' | 'folder'>;

/** The command that grants these items, ready to be pasted into a shell. */
export function grantCommand(
  plugin: CommandSubject,
  items: readonly Pick<RequestedItem, 'permission' | 'resource'>[],
): string {
  const flags = permissionNames.flatMap((permission) => {
    const resources = items.filter((item) => item.permission === permission).map((item) => item.resource);
    return resources.length === 0 ? [] : [`--allow-${permission}=${quoteForShell(resources.join(','))}`];
  });
  return toCommand('grant', plugin, flags);
}

/** The command that grants all that the plugin asks for. */
export function grantAllCommand(plugin: CommandSubject): string {
  return toCommand('grant', plugin, ['--all-requested']);
}

/** The command that records the plugin in plugins.lock. */
export function lockCommand(plugin: CommandSubject): string {
  return toCommand('lock', plugin, []);
}

function toCommand(command: string, { manifest, source, folder }: CommandSubject, flags: readonly string[]): string {
  const path = source === 'external' ? ['--plugin-path', quoteForShell(folder)] : [];
  return ['npx returnit plugins', command, manifest.name, ...flags, ...path].join(' ');
}
