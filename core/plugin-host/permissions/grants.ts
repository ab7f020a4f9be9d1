/**
 * `plugins/grants.json`: what the operator allows. It belongs to the operator; no plugin can write it.
 *
 * ```json
 * { "$schema": "../core/plugin-host/grants.schema.json",
 *   "grants": {
 *     "payments": {
 *       "http": true,                                  // as requested
 *       "net": ["api.stripe.com:443"],                 // these alone, of what is requested
 *       "deny": { "net": ["*.internal.example:443"] }, // wins over every grant; `true` denies all of it
 *       "grantedBy": "kim", "at": "2026-11-22", "reason": "card payments" } } }
 * ```
 */
import { readFile } from 'node:fs/promises';
import { Type, type Static, type TOptional, type TSchema } from 'typebox';
import { createDocumentCheck, type MeaningProblem } from '../manifest/document-check.ts';
import type { JsonDocument } from '../manifest/json-document.ts';
import { permissionNames, refusedPermissions, type GrantablePermission } from './permission-names.ts';
import { expectedForm, resourceCharactersMax, resourceProblem } from './permission-syntax.ts';

const closed = { additionalProperties: false } as const;

/** `true` is everything of it; a list is that alone. */
const Rules = (description: string): TSchema =>
  Type.Unsafe<true | readonly string[]>({
    type: ['boolean', 'array'],
    not: { const: false },
    items: { type: 'string', minLength: 1, maxLength: resourceCharactersMax },
    maxItems: 500,
    uniqueItems: true,
    description,
  });

const byPermission = (what: string): Record<GrantablePermission, TOptional> =>
  Object.fromEntries(
    permissionNames.map((name) => [name, Type.Optional(Rules(`true (${what}), or a list of ${expectedForm(name)}`))]),
  ) as Record<GrantablePermission, TOptional>;

const refusedByName = Object.fromEntries(
  Object.entries(refusedPermissions).map(([name, reason]) => [
    name,
    Type.Optional(Type.Unsafe<never>({ not: {}, description: reason })),
  ]),
) as Record<string, TOptional>;

const PluginGrantsSchema = Type.Object(
  {
    ...byPermission('as requested'),
    ...refusedByName,
    deny: Type.Optional(Type.Object(byPermission('all of it'), { ...closed, description: 'Wins over every grant' })),
    grantedBy: Type.Optional(Type.String({ maxLength: 200 })),
    at: Type.Optional(Type.String({ maxLength: 40, description: 'When, in ISO 8601' })),
    reason: Type.Optional(Type.String({ maxLength: 500 })),
  },
  closed,
);

export const GrantsSchema = Type.Object(
  {
    $schema: Type.Optional(Type.String()),
    grants: Type.Record(Type.String(), PluginGrantsSchema, { description: 'By name of the plugin' }),
  },
  {
    ...closed,
    $id: 'https://returnit.example/schemas/grants.schema.json',
    title: 'ReturnIt grants',
    description: 'What the operator allows each plugin of what it asks for',
  },
);

/** `true`: everything of it. */
export type GrantRules = true | readonly string[];
export type RulesByPermission = Readonly<Partial<Record<GrantablePermission, GrantRules>>>;

export interface PluginGrants extends RulesByPermission {
  readonly deny?: RulesByPermission;
  readonly grantedBy?: string;
  readonly at?: string;
  readonly reason?: string;
}

export interface Grants {
  readonly grants: Readonly<Record<string, PluginGrants>>;
}

export const noGrants: Grants = { grants: {} };

const checkGrants = createDocumentCheck<Static<typeof GrantsSchema>>({
  schema: GrantsSchema,
  code: 'INVALID_GRANTS',
  meaning: ({ grants }) =>
    Object.entries(grants).flatMap(([plugin, rules]) => ruleProblems(plugin, rules as PluginGrants)),
});

function ruleProblems(plugin: string, grants: PluginGrants): MeaningProblem[] {
  return [...listProblems(['grants', plugin], grants), ...listProblems(['grants', plugin, 'deny'], grants.deny ?? {})];
}

function listProblems(path: readonly string[], rules: RulesByPermission): MeaningProblem[] {
  return permissionNames.flatMap((permission) => {
    const list = rules[permission];
    if (list === undefined || list === true) return [];
    return list.flatMap((resource, index) => {
      const message = resourceProblem(permission, resource);
      return message === undefined ? [] : [{ path: [...path, permission, index], message }];
    });
  });
}

/** @throws {AppError} INVALID_GRANTS with every problem: file, line, column, path, what it is, what would be right */
export function parseGrants(text: string, file: string): { readonly grants: Grants; readonly document: JsonDocument } {
  const { value, document } = checkGrants(text, file);
  return { grants: value as Grants, document };
}

/**
 * The operator's grants; none when the file does not exist.
 *
 * @throws {AppError} INVALID_GRANTS
 */
export async function readGrants(path: string, file: string = path): Promise<Grants> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return text === undefined ? noGrants : parseGrants(text, file).grants;
}
