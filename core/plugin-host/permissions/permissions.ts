/** Whether a plugin may: what it asked for, as far as the operator granted it, less what the operator denied. */
import { LRUCache } from 'lru-cache';
import type { PermissionName } from '#plugin-api';
import type { Access } from '../capability.ts';
import type { Grants } from './grants.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { covers, overlaps } from './permission-match.ts';
import { isGrantable, refusedPermissions, type GrantablePermission } from './permission-names.ts';
import { isPrivateNetResource } from './permission-net.ts';
import {
  collectRules,
  effectiveGrants,
  type PermissionRules,
  type PluginRules,
  type RunRules,
} from './permission-rules.ts';

export type DecisionReason = 'granted' | 'not-requested' | 'not-granted' | 'denied' | 'private-address' | 'refused';

export interface Decision {
  /** `prompt`: asked for, and neither granted nor denied. */
  readonly state: 'granted' | 'denied' | 'prompt';
  readonly reason: DecisionReason;
  /** Which rule decided: `grants.json payments.net api.stripe.com:443`, `--deny-net=…`, `not requested`, `not granted`. */
  readonly rule: string;
  /** It stands in plugin.json. */
  readonly requested: boolean;
  /** What the plugin has of this permission. */
  readonly granted: readonly string[];
}

export interface Permissions {
  check(plugin: string, access: Access): Decision;
  /** The rules of a plugin, for `permissions` and `inspect`; undefined when there is no such plugin. */
  rulesOf(plugin: string): PluginRules | undefined;
}

export interface PermissionsOptions {
  readonly plugins: readonly Pick<Manifest, 'name' | 'permissions'>[];
  readonly grants: Grants;
  /** @default [] */
  readonly flags?: readonly RunRules[];
  /** Decisions remembered for each permission of each plugin. @default 1000 */
  readonly cacheMax?: number;
}

interface Compiled {
  readonly name: GrantablePermission;
  readonly rules: PermissionRules;
  readonly granted: readonly string[];
  readonly decisions: LRUCache<string, Decision>;
}

export function createPermissions(options: PermissionsOptions): Permissions {
  const { plugins, grants, flags = [], cacheMax = 1000 } = options;
  const rules = new Map(plugins.map((manifest) => [manifest.name, collectRules({ manifest, grants, flags })]));
  const compiled = new Map([...rules].map(([plugin, pluginRules]) => [plugin, compile(pluginRules, cacheMax)]));
  return {
    rulesOf: (plugin) => rules.get(plugin),
    check(plugin, { permission, resource }) {
      const own = compiled.get(plugin)?.get(permission);
      if (own === undefined) return undecided(plugin, permission);
      const known = own.decisions.get(resource);
      if (known !== undefined) return known;
      const decision = Object.freeze(decide(own, resource));
      own.decisions.set(resource, decision);
      return decision;
    },
  };
}

function compile(rules: PluginRules, cacheMax: number): ReadonlyMap<PermissionName, Compiled> {
  return new Map(
    Object.entries(rules).map(([name, permissionRules]) => {
      const permission = name as GrantablePermission;
      const granted = effectiveGrants(permission, permissionRules);
      return [
        permission,
        {
          name: permission,
          rules: permissionRules,
          granted,
          decisions: new LRUCache<string, Decision>({ max: cacheMax }),
        },
      ];
    }),
  );
}

function undecided(plugin: string, permission: PermissionName): Decision {
  const rule = isGrantable(permission)
    ? `there is no plugin "${plugin}"`
    : `${permission} is refused to every plugin: ${refusedReason(permission)}`;
  return { state: 'denied', reason: 'refused', rule, requested: false, granted: [] };
}

function refusedReason(permission: string): string {
  return Object.hasOwn(refusedPermissions, permission)
    ? refusedPermissions[permission as keyof typeof refusedPermissions]
    : 'there is no such permission';
}

/** Longer than any resource that can be granted. */
const resourceLengthMax = 2048;

function decide(own: Compiled, resource: string): Decision {
  const { name, rules, granted } = own;
  const requested = rules.requested.some((item) => covers(name, item.resource, resource));
  const refuse = (reason: DecisionReason, rule: string): Decision => ({
    state: 'denied',
    reason,
    rule,
    requested,
    granted,
  });
  if (resource.length > resourceLengthMax) return refuse('not-requested', 'not requested');
  const denial = rules.deny.find((rule) => rule.resource === null || overlaps(name, rule.resource, resource));
  if (denial !== undefined) return refuse('denied', denial.text);
  const grant = rules.allow.find((rule) => rule.resource === null || covers(name, rule.resource, resource));
  if (requested && grant !== undefined)
    return { state: 'granted', reason: 'granted', rule: grant.text, requested, granted };
  if (name === 'net' && isPrivateNetResource(resource))
    return refuse('private-address', 'private address without a grant of its block');
  if (!requested) return refuse('not-requested', 'not requested');
  return { state: 'prompt', reason: 'not-granted', rule: 'not granted', requested, granted };
}
