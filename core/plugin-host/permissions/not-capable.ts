import { AppError } from '#core/errors/app-error.ts';
import type { PluginIdentity } from '#core/plugin-instance.ts';
import type { Access } from '../capability.ts';
import type { Decision } from './permissions.ts';
import { isGrantable } from './permission-names.ts';
import { shownResource } from './shown-resource.ts';

/**
 * A plugin reached for something that it may not. The first line is Deno's sentence with the plugin as its subject,
 * the second says what was asked for, what it has, and what stood in the way.
 */
export class NotCapable extends AppError {
  override readonly name: string = 'NotCapable';

  constructor(plugin: PluginIdentity, access: Access, decision: Decision) {
    const resource = shownResource(access);
    const subject = `${plugin.name}@${plugin.version}`;
    super(
      'NOT_CAPABLE',
      `${subject} requires ${access.permission} access to "${resource}"\n  ${explain(access, decision)}`,
      {
        details: {
          plugin: plugin.name,
          version: plugin.version,
          permission: access.permission,
          resource,
          requested: decision.requested,
          rule: decision.rule,
          reason: decision.reason,
        },
      },
    );
  }
}

const grantedShownMax = 5;

function explain({ permission, resource }: Access, decision: Decision): string {
  if (decision.reason === 'refused') return decision.rule;
  const requested = `requested in plugin.json: ${decision.requested ? 'yes' : 'no'}    granted: ${shownGrants(decision.granted)}`;
  if (decision.reason === 'denied') return `${requested}    denied by: ${decision.rule}`;
  if (decision.reason === 'private-address') {
    return `${requested}    private address: only a block such as "${blockOf(resource)}", requested and granted, opens it`;
  }
  return isGrantable(permission) ? requested : decision.rule;
}

function shownGrants(granted: readonly string[]): string {
  if (granted.length === 0) return 'nothing';
  const more = granted.length > grantedShownMax ? ` and ${granted.length - grantedShownMax} more` : '';
  return `${granted.slice(0, grantedShownMax).join(', ')}${more}`;
}

/** The smallest block with the address in it. */
function blockOf(resource: string): string {
  const [, address = '', port = ''] = /^\[?([^\]]*?)\]?(:\d+)?$/.exec(resource) ?? [];
  return address.includes(':') ? `[${address}/128]${port}` : `${address}/32${port}`;
}
