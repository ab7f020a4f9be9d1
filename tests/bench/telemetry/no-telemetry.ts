/** For `node --import`: the core that is started has no-ops in place of its telemetry, and its code knows nothing of it. */
import { registerHooks } from 'node:module';
import { replacements } from './replacements.ts';

const noOps = new Map(replacements.map(({ real, noOp }) => [real, noOp]));

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const url = noOps.get(resolved.url);
    return url === undefined ? resolved : { ...resolved, url };
  },
});
