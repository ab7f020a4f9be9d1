import type { RequestedItem } from './manifest.ts';
import { permissionNames } from './permission-names.ts';

/** As one word of a POSIX shell. */
export function quoteForShell(word: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** The command that grants these items, ready to be pasted into a shell. */
export function grantCommand(plugin: string, items: readonly Pick<RequestedItem, 'permission' | 'resource'>[]): string {
  const flags = permissionNames.flatMap((permission) => {
    const resources = items.filter((item) => item.permission === permission).map((item) => item.resource);
    return resources.length === 0 ? [] : [`--allow-${permission}=${quoteForShell(resources.join(','))}`];
  });
  return ['npx returnit plugins grant', plugin, ...flags].join(' ');
}
