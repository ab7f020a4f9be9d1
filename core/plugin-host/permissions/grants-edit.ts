/** Changes of grants.json: the member that changes is written anew, every other character of the file stays as it is. */
import { parseGrants, type GrantRules, type PluginGrants, type RulesByPermission } from './grants.ts';
import { parseJsonDocument, type JsonPath, type JsonPlace } from '../manifest/json-document.ts';
import { permissionNames, type GrantablePermission } from './permission-names.ts';
import { covers } from './permission-match.ts';

export interface GrantChange {
  readonly plugin: string;
  readonly allow?: RulesByPermission;
  readonly deny?: RulesByPermission;
  /** Kept in the file beside the grants. */
  readonly grantedBy?: string;
  readonly at?: string;
  readonly reason?: string;
}

export const emptyGrantsText = `{
  "$schema": "../core/plugin-host/grants.schema.json",
  "grants": {}
}
`;

/**
 * The text of grants.json with the change made. A new grant takes back the denials that it covers, and a new denial the
 * grants that it covers; broader ones stay, and a denial that stays wins.
 *
 * @throws {AppError} INVALID_GRANTS when the text, or what the change makes of it, is not valid
 */
export function changeGrants(text: string, change: GrantChange, file = 'grants.json'): string {
  const { grants } = parseGrants(text, file);
  const current = grants.grants[change.plugin] ?? {};
  const next = merge(current, change);
  let changed = text;
  if (!Object.hasOwn(grants.grants, change.plugin)) changed = setMember(changed, ['grants', change.plugin], {});
  for (const [name, value] of Object.entries(next)) {
    const before = (current as Readonly<Record<string, unknown>>)[name];
    if (JSON.stringify(before) !== JSON.stringify(value))
      changed = setMember(changed, ['grants', change.plugin, name], value);
  }
  parseGrants(changed, file);
  return changed;
}

function merge(current: PluginGrants, change: GrantChange): PluginGrants {
  const allow: Partial<Record<GrantablePermission, GrantRules>> = {};
  const deny: Partial<Record<GrantablePermission, GrantRules>> = { ...current.deny };
  for (const permission of permissionNames) {
    const granted = change.allow?.[permission];
    const denied = change.deny?.[permission];
    if (granted !== undefined) {
      allow[permission] = union(current[permission], granted);
      // "All that is requested" takes back "deny everything", and leaves the single denials.
      const keepsDenials = granted === true && deny[permission] !== true;
      const rest = keepsDenials ? undefined : without(permission, deny[permission], granted);
      if (rest !== undefined) deny[permission] = rest;
    }
    if (denied !== undefined) {
      deny[permission] = union(deny[permission], denied);
      const kept = without(permission, allow[permission] ?? current[permission], denied);
      if (kept !== undefined) allow[permission] = kept;
    }
  }
  const denials = Object.fromEntries(Object.entries(deny).filter(([, rules]) => rules === true || rules.length > 0));
  const { grantedBy, at, reason } = change;
  return {
    ...allow,
    ...(Object.keys(denials).length > 0 || current.deny !== undefined ? { deny: denials } : {}),
    ...(grantedBy === undefined ? {} : { grantedBy }),
    ...(at === undefined ? {} : { at }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function union(current: GrantRules | undefined, added: GrantRules): GrantRules {
  if (current === true || added === true) return true;
  return [...new Set([...(current ?? []), ...added])];
}

/**
 * What is left of the rules when what the change covers is taken off. A broader denial stays: one grant of a part must
 * not open the rest, so the caller says that the part is still denied.
 */
function without(
  permission: GrantablePermission,
  rules: GrantRules | undefined,
  taken: GrantRules,
): GrantRules | undefined {
  if (rules === undefined) return undefined;
  if (rules === true) return taken === true ? [] : true;
  return rules.filter((rule) => taken !== true && !taken.some((other) => covers(permission, other, rule)));
}

/** Replaces the value at a path, or adds it as the last member of the object above it. */
export function setMember(text: string, path: JsonPath, value: unknown): string {
  const document = parseJsonDocument(text);
  const indent = /\n([ \t]+)"/.exec(document.text)?.[1] ?? '  ';
  const member = document.placeOf(path);
  const json = print(value, indent, indent.repeat(path.length));
  if (member !== undefined) return splice(document.text, member, json);
  const parentPath = path.slice(0, -1);
  const parent = document.placeOf(parentPath);
  if (parent === undefined) throw new RangeError(`There is no ${JSON.stringify(parentPath)} to add a member to`);
  const line = `\n${indent.repeat(path.length)}${JSON.stringify(path.at(-1))}: ${json}`;
  const inside = document.text.slice(parent.start + 1, parent.end - 1);
  const end = parent.start + 1 + inside.trimEnd().length;
  const added = inside.trim() === '' ? line : `,${line}`;
  return splice(document.text, { start: end, end: parent.end - 1 }, `${added}\n${indent.repeat(parentPath.length)}`);
}

function splice(text: string, place: JsonPlace, replacement: string): string {
  return text.slice(0, place.start) + replacement + text.slice(place.end);
}

/** Lists on one line while they are short, as a person would write them. */
function print(value: unknown, indent: string, margin: string): string {
  const inline = JSON.stringify(value, null, 1).replaceAll(/\n\s*/g, ' ').replace(/^\[ /, '[').replace(/ \]$/, ']');
  if (!Array.isArray(value) && typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(
      ([name, item]) => `${margin}${indent}${JSON.stringify(name)}: ${print(item, indent, margin + indent)}`,
    );
    return members.length === 0 ? '{}' : `{\n${members.join(',\n')}\n${margin}}`;
  }
  return inline.length <= 90 ? inline : JSON.stringify(value, null, indent).replaceAll('\n', `\n${margin}`);
}
