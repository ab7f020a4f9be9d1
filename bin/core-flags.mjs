/**
 * Node's flags for the core.
 *
 * The young generation starts at the size that it would grow to and may double: a request's objects then die before
 * they are looked at, and the collector has less to copy.
 */
export const coreFlags = [
  '--disable-sigusr1',
  '--disable-warning=ExperimentalWarning',
  '--min-semi-space-size=16',
  '--max-semi-space-size=32',
];
