const linksMax = 32;
const payloadMaxLength = 16_384;

/** W3C Trace Context, version 00, with ids that are not all zero. */
const pattern = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * The `traceparent` in the outermost object of a device's JSON. A device is not trusted: its trace is linked to, never
 * continued. Only a payload that contains the word is parsed.
 */
export function traceparentOf(payload: string): string | undefined {
  if (payload.length > payloadMaxLength || !payload.includes('"traceparent"')) return undefined;
  try {
    const value = (JSON.parse(payload) as { traceparent?: unknown } | null)?.traceparent;
    return typeof value === 'string' && pattern.test(value) ? value : undefined;
  } catch {
    // Not JSON: the plugin will say so in its verdict.
    return undefined;
  }
}

/** The traces that a batch is linked to, each once, bounded. */
export function traceLinks(payloads: readonly string[]): readonly string[] {
  const links = new Set<string>();
  for (const payload of payloads) {
    const traceparent = traceparentOf(payload);
    if (traceparent !== undefined) links.add(traceparent);
    if (links.size === linksMax) break;
  }
  return [...links];
}
