import { AppError } from '#core/errors/app-error.ts';
import type { GrantRules } from './grants.ts';
import type { GrantablePermission } from './permission-names.ts';
import { resourceProblem } from './permission-syntax.ts';

/**
 * Resources as they stand behind `--allow-net=`: separated by commas; empty is everything.
 *
 * @throws {AppError} INVALID_GRANTS
 */
export function parseGrantRules(flag: string, permission: GrantablePermission, text: string): GrantRules {
  if (text === '') return true;
  const resources = text.split(',').map((resource) => resource.trim());
  for (const resource of resources) {
    const problem = resourceProblem(permission, resource);
    if (problem !== undefined)
      throw new AppError('INVALID_GRANTS', `Cannot use --${flag}=${text}: a resource ${problem}`);
  }
  return resources;
}
