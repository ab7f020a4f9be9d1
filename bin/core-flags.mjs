/**
 * Node's flags for the core.
 *
 * The young generation starts at the size that it would grow to and may double: a request's objects then die before
 * they are looked at. With V8's own sizes the collector's threads took an eighth of the CPU time of a request.
 */
export const coreFlags = [
  '--disable-sigusr1',
  '--disable-warning=ExperimentalWarning',
  '--min-semi-space-size=16',
  '--max-semi-space-size=32',
];
