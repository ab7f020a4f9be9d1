/** What was requested, allowed and denied, as rules with the place that they come from. */
import type { Grants, RulesByPermission } from './grants.ts';
import { requestedItems, type Manifest, type RequestedItem } from '../manifest/manifest.ts';
import { covers } from './permission-match.ts';
import { permissionNames, type GrantablePermission } from './permission-names.ts';

/** Allowed or denied for this run alone: by flags, or by an answer at the prompt. */
export interface RunRules {
  readonly plugin: string;
  readonly permission: GrantablePermission;
  /** null: everything of it that is requested (or, denied, everything). */
  readonly resources: readonly string[] | null;
  readonly effect: 'allow' | 'deny';
  /** Where it comes from, as the operator knows it: `--allow-net`, `answered "n"`. */
  readonly origin: string;
}

export interface Rule {
  /** null: everything. */
  readonly resource: string | null;
  /** As it stands in denials and audit records: `grants.json payments.net api.stripe.com:443`. */
  readonly text: string;
}

export interface PermissionRules {
  readonly requested: readonly RequestedItem[];
  readonly allow: readonly Rule[];
  readonly deny: readonly Rule[];
}

export type PluginRules = Readonly<Record<GrantablePermission, PermissionRules>>;

export interface RuleSources {
  readonly manifest: Pick<Manifest, 'name' | 'permissions'>;
  readonly grants: Grants;
  /** @default [] */
  readonly flags?: readonly RunRules[];
}

export function collectRules(sources: RuleSources): PluginRules {
  const { manifest, grants, flags = [] } = sources;
  const requested = requestedItems(manifest);
  const stored = Object.hasOwn(grants.grants, manifest.name) ? grants.grants[manifest.name] : undefined;
  const own = flags.filter((flag) => flag.plugin === manifest.name);
  const rules = permissionNames.map((permission) => {
    const from = (effect: RunRules['effect'], file: RulesByPermission | undefined, place: string): Rule[] => [
      ...own.filter((flag) => flag.permission === permission && flag.effect === effect).flatMap(toRules),
      ...storedRules(file, permission, place),
    ];
    return [
      permission,
      {
        requested: requested.filter((item) => item.permission === permission),
        allow: from('allow', stored, `grants.json ${manifest.name}.${permission}`),
        deny: from('deny', stored?.deny, `grants.json ${manifest.name}.deny.${permission}`),
      },
    ] as const;
  });
  return Object.fromEntries(rules) as unknown as PluginRules;
}

function toRules({ resources, origin, plugin }: RunRules): Rule[] {
  if (resources === null) return [{ resource: null, text: `${origin}=${plugin}` }];
  return resources.map((resource) => ({ resource, text: `${origin}=${plugin}:${resource}` }));
}

function storedRules(rules: RulesByPermission | undefined, permission: GrantablePermission, place: string): Rule[] {
  const list = rules?.[permission];
  if (list === undefined) return [];
  if (list === true) return [{ resource: null, text: `${place} true` }];
  return list.map((resource) => ({ resource, text: `${place} ${resource}` }));
}

/** What is requested and granted: the narrower of the two wherever one covers the other. Denials are not taken off. */
export function effectiveGrants(permission: GrantablePermission, rules: PermissionRules): readonly string[] {
  const both = rules.requested.flatMap(({ resource: asked }) =>
    rules.allow.flatMap(({ resource: allowed }) => {
      if (allowed === null || covers(permission, allowed, asked)) return [asked];
      return covers(permission, asked, allowed) ? [allowed] : [];
    }),
  );
  return [...new Set(both)];
}

/**
 * Requests that the plugin needs and about which the operator has said nothing yet, neither for a part of them nor for
 * more.
 */
export function missingGrants(rules: PluginRules): readonly RequestedItem[] {
  return permissionNames.flatMap((permission) => {
    const { requested, allow, deny } = rules[permission];
    return requested.filter(({ resource: asked, optional }) => {
      if (optional) return false;
      const answers = ({ resource }: Rule): boolean =>
        resource === null || covers(permission, resource, asked) || covers(permission, asked, resource);
      return !allow.some(answers) && !deny.some(answers);
    });
  });
}

/** Grants for something that the plugin does not ask for: they have no effect, and a typing mistake often hides there. */
export function idleGrants(rules: PluginRules): readonly Rule[] {
  return permissionNames.flatMap((permission) => {
    const { requested, allow } = rules[permission];
    return allow.filter(({ resource }) => {
      if (resource === null) return requested.length === 0;
      return !requested.some(
        ({ resource: asked }) => covers(permission, resource, asked) || covers(permission, asked, resource),
      );
    });
  });
}
