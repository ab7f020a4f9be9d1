import { Ajv, type ValidateFunction } from 'ajv';
import type { TSchema } from 'typebox';
import { AppError } from '#core/errors/app-error.ts';

/** Throws INVALID_CALL, naming the member that is wrong and what it must be. */
export type ArgumentCheck = (args: unknown) => void;

// Arguments come from a plugin's process: nothing is coerced, nothing is filled in. Lengths are those of the strings in
// memory: to count the code points of each statement is dear, and the limits are no finer than that.
const ajv = new Ajv({ allErrors: false, strict: false, validateFormats: false, unicode: false, logger: false });

/** Compiled at the first call: most methods are not called by most plugins, and the start need not wait for them. */
export function compileArguments(capability: string, schema: TSchema): ArgumentCheck {
  let validate: ValidateFunction | undefined;
  return (args) => {
    validate ??= ajv.compile(schema);
    if (validate(args)) return;
    const problem = validate.errors?.[0];
    const member = problem === undefined || problem.instancePath === '' ? 'the arguments' : problem.instancePath;
    throw new AppError(
      'INVALID_CALL',
      `Cannot call ${capability}: ${member} ${problem?.message ?? 'do not match the schema'}`,
      {
        details: { path: problem?.instancePath ?? '', rule: problem?.keyword ?? '' },
      },
    );
  };
}
