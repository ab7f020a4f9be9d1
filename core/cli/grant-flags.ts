/** `--allow-net=payments:api.stripe.com:443` and the others: grants and denials for one run, on top of grants.json. */
import { Option, type Command } from 'commander';
import { AppError } from '#core/errors/app-error.ts';
import { parseGrantRules } from '#core/plugin-host/permissions/grant-rules-text.ts';
import type { RulesByPermission } from '#core/plugin-host/permissions/grants.ts';
import {
  permissionNames,
  refusedPermissions,
  type GrantablePermission,
} from '#core/plugin-host/permissions/permission-names.ts';
import type { RunRules } from '#core/plugin-host/permissions/permission-rules.ts';

const effects = ['allow', 'deny'] as const;
type Effect = (typeof effects)[number];

/** Adds the flags of a start: each names the plugin, `--allow-net=payments:api.stripe.com:443,hooks.example:443`. */
export function addRunGrantFlags(command: Command): Command {
  for (const effect of effects) {
    for (const permission of permissionNames) {
      command.addOption(
        new Option(`--${effect}-${permission} <plugin[:resource,...]>`, `${effect} ${permission} for this run`)
          .argParser(collect)
          .hideHelp(),
      );
    }
  }
  return addRefusedFlags(command);
}

/** Adds the flags of `plugins grant NAME`, which names the plugin: `--allow-net=api.stripe.com:443`; without a value, all that is requested. */
export function addPluginGrantFlags(command: Command): Command {
  for (const effect of effects) {
    for (const permission of permissionNames) {
      const all = effect === 'allow' ? 'all that is requested' : 'all of it';
      command.addOption(
        new Option(`--${effect}-${permission} [resource,...]`, `${effect} ${permission}; ${all} without a value`)
          .argParser(collect)
          .preset(''),
      );
    }
  }
  return addRefusedFlags(command);
}

/** Flags that exist so that whoever knows them from elsewhere is told what to do instead. */
function addRefusedFlags(command: Command): Command {
  const refuse = (flag: string, reason: string): Option =>
    new Option(`--${flag} [value]`)
      .hideHelp()
      .argParser(() => {
        throw new AppError('INVALID_GRANTS', `Cannot use --${flag}: ${reason}`);
      })
      .preset('');
  command.addOption(
    refuse(
      'allow-all',
      'a plugin gets what it asks for and no more; npx returnit plugins grant NAME --all-requested grants that',
    ),
  );
  for (const [name, reason] of Object.entries(refusedPermissions)) command.addOption(refuse(`allow-${name}`, reason));
  return command;
}

function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

/** Options by commander's names: `allowNet`. */
export type GrantOptions = Readonly<Record<string, unknown>>;

function given(options: GrantOptions, effect: Effect, permission: GrantablePermission): readonly string[] {
  const name = `${effect}${permission.slice(0, 1).toUpperCase()}${permission.slice(1)}`;
  return (options[name] as readonly string[] | undefined) ?? [];
}

/** @throws {AppError} INVALID_GRANTS */
export function parseRunGrantFlags(options: GrantOptions): readonly RunRules[] {
  return effects.flatMap((effect) =>
    permissionNames.flatMap((permission) =>
      given(options, effect, permission).map((text) => parseRunRule(effect, permission, text)),
    ),
  );
}

function parseRunRule(effect: Effect, permission: GrantablePermission, text: string): RunRules {
  const flag = `${effect}-${permission}`;
  const colon = text.indexOf(':');
  const plugin = colon === -1 ? text : text.slice(0, colon);
  if (!/^[a-z][a-z0-9-]*$/.test(plugin)) {
    throw new AppError(
      'INVALID_GRANTS',
      `Cannot use --${flag}=${text}: it must begin with the name of a plugin, such as --${flag}=payments:…`,
    );
  }
  const rules = colon === -1 ? true : parseGrantRules(flag, permission, text.slice(colon + 1));
  return { plugin, permission, resources: rules === true ? null : rules, effect, origin: `--${flag}` };
}

/** @throws {AppError} INVALID_GRANTS */
export function parsePluginGrantFlags(options: GrantOptions): {
  readonly allow: RulesByPermission;
  readonly deny: RulesByPermission;
} {
  const read = (effect: Effect): RulesByPermission =>
    Object.fromEntries(
      permissionNames.flatMap((permission) => {
        const rules = given(options, effect, permission).map((text) =>
          parseGrantRules(`${effect}-${permission}`, permission, text),
        );
        if (rules.length === 0) return [];
        return [[permission, rules.includes(true) ? true : (rules as readonly (readonly string[])[]).flat()]];
      }),
    );
  return { allow: read('allow'), deny: read('deny') };
}
