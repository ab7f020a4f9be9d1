// For a container's health check: ends with 0 when the core on this machine may be given traffic.
const port = process.env.OPS_PORT || '9464';
try {
  const { status } = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(4000) });
  if (status !== 200) throw new Error(`/readyz answers ${status}`);
} catch (error) {
  process.stderr.write(`Cannot call the core ready: ${error.cause?.message ?? error.message}\n`);
  process.exit(1);
}
