import type { ThreadBoot, ThreadReport } from '../boot.ts';
import type { CoreConnection } from '../core-connection.ts';
import { createFetch } from '../fetch.ts';
import { createBuiltinPolicy } from './builtin-modules.ts';
import { lockGlobals } from './globals-lock.ts';
import { installImportPolicy } from './import-policy.ts';
import { reportNativeDenials } from './native-denials.ts';
import { lockProcess } from './process-lock.ts';

/** Closes what can be closed from within, before the first line of plugin code. Order matters: the loader is locked last. */
export function hardenThread(options: {
  readonly boot: ThreadBoot;
  readonly core: CoreConnection;
  readonly report: (report: ThreadReport) => void;
}): void {
  reportNativeDenials(options.report);
  lockGlobals(createFetch(options.core));
  const policy = createBuiltinPolicy(options.boot.files);
  installImportPolicy(options.boot.main.url, policy);
  lockProcess(policy);
}
